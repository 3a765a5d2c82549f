"""Find which words carried the complaint and the mood: let the text grow word by word, and see how the scores change.

It grows once from its beginning and once from its end, and a word counts with the mean of both. Leaving out single
words finds less: of "broken" and "nobody answers" either is enough for a complaint. The parts add up to what the whole
text says more than an empty one.

Source: the Shapley value (Shapley 1953), here over two orders instead of all.
"""

import math
import re

import numpy as np

from bot.conversation.explanation import Explanation, Part
from bot.nlu.encoder import Encoder
from bot.nlu.heads import Judgement, TriageHeads
from bot.nlu.linear import Floats
from bot.nlu.text import MAX_CHARS, prepare

MOST_PARTS = 8
"""A text of more words is divided into that many phrases of about the same length: each costs two passes of the
encoder over half a text."""

_WORD = re.compile(r"\S+")
_SURE = 1e-6


def explain(text: str, encoder: Encoder, heads: TriageHeads) -> Explanation:
    """Return how much each word, or each phrase of a longer text, adds to what the heads say of a text."""
    text = text[:MAX_CHARS]
    spans = parts_of(text)
    grown = [text[: spans[count - 1][1]] if count else "" for count in range(len(spans) + 1)]
    shrunk = [text[start:] for start, _ in spans] + [""]
    encoding = encoder.encode([prepare(part) for part in (*grown, *shrunk)])
    scores = np.array([_scores(one) for one in heads.judge(encoding)])
    from_left, from_right = np.split(scores, 2)
    added: Floats = (np.diff(from_left, axis=0) - np.diff(from_right, axis=0)) / 2
    return Explanation(
        parts=tuple(
            Part(start=start, end=end, complaint=round(float(complaint), 3), sentiment=round(float(sentiment), 3))
            for (start, end), (complaint, sentiment) in zip(spans, added, strict=True)
        )
    )


def parts_of(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word of a text, or of at most MOST_PARTS phrases."""
    words = [match.span() for match in _WORD.finditer(text)]
    groups = np.array_split(np.arange(len(words)), min(len(words), MOST_PARTS)) if words else []
    return [(words[group[0]][0], words[group[-1]][1]) for group in groups]


def _scores(judgement: Judgement) -> tuple[float, float]:
    return _log_odds(judgement.complaint), _log_odds((1 + judgement.sentiment_value) / 2)


def _log_odds(probability: float) -> float:
    # A probability near 0 or 1 hardly moves whatever is added; its log-odds do.
    sure = min(max(probability, _SURE), 1 - _SURE)
    return math.log(sure / (1 - sure))
