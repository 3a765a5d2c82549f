"""What a dictionary says of the mood of words: VADER, with its rules for negation, emphasis, emoji and capitals."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 6


def mood_of_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return `(n, 6) float32`: what each text says by its words alone.

    Shares of bad and of good words (0 to 1), the balance of the whole text (-1 to 1) and its strength (0 to 1), the
    best and the worst word (-4 to 4).

    Source: Hutto and Gilbert (2014), "VADER: a parsimonious rule-based model for sentiment analysis".
    """
    return np.array([_mood(text) for text in texts], np.float32).reshape(len(texts), WIDTH)


def _mood(text: str) -> tuple[float, ...]:
    dictionary = _dictionary()
    found = dictionary.polarity_scores(text)
    words = [dictionary.lexicon.get(word.strip(".,!?;:()\"'").lower(), 0.0) for word in text.split()]
    balance = found["compound"]
    return found["neg"], found["pos"], balance, abs(balance), max([0.0, *words]), min([0.0, *words])


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
