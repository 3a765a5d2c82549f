"""Divide texts into passes of the encoder: those of the same number of tokens together, so that none needs padding."""

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

PASS_TOKENS = 256
"""Most tokens of a pass of several texts. Measured on 2 cores: 128 take longer, 512 hardly less."""

Tokens = NDArray[np.int64]
Pass = dict[str, Tokens]
"""Texts of the same number of tokens, and their tokens, `(n,)`."""


def divide(texts: Mapping[str, Tokens], most_tokens: int, threads: int) -> list[Pass]:
    """Return the passes of texts, the largest first, such that no thread has more than its share.

    Args:
        texts: with the tokens of each.
        most_tokens: of a pass of more than one text.
        threads: how many passes run at once.
    """
    by_length: dict[int, list[str]] = defaultdict(list)
    for text, tokens in texts.items():
        by_length[len(tokens)].append(text)
    share = sum(map(len, texts.values())) // threads
    passes: list[Pass] = []
    for length, alike in sorted(by_length.items(), reverse=True):
        most_texts = max(1, min(most_tokens, share) // max(1, length))
        count = math.ceil(len(alike) / most_texts)
        passes += [{text: texts[text] for text in alike[i::count]} for i in range(count)]
    return sorted(passes, key=lambda one: sum(map(len, one.values())), reverse=True)
