"""Texts of like length in batches of few shapes: little padding, and little to compile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Numbers of tokens to which batches are padded."""
_POOL = 16
"""Batches whose texts are sorted by length together; more would put the same texts into one batch in every epoch."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts of one shape. `rows` `(size,)` says which; the last may be there only to fill up, and then `real` is 0.

    `tokens` is `(size, length) int32`, `mask` `(size, length) float32`, `real` `(size,) float32`.
    """

    rows: NDArray[np.int64]
    tokens: NDArray[np.int32]
    mask: NDArray[np.float32]
    real: NDArray[np.float32]


def count(texts: int, size: int) -> int:
    """Return how many batches an epoch has."""
    return -(-texts // size)


def epoch(tokens: Sequence[NDArray[np.int64]], size: int, random: np.random.Generator) -> Iterator[Batch]:
    """Give every text once, in an order of chance."""
    order = random.permutation(len(tokens))
    lengths = np.array([len(each) for each in tokens])
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[place : place + size] for place in range(0, len(pool), size)]
    for place in random.permutation(len(batches)):
        yield _batch(batches[place], tokens, size)


def _batch(rows: NDArray[np.int64], tokens: Sequence[NDArray[np.int64]], size: int) -> Batch:
    longest = max(len(tokens[row]) for row in rows)
    length = next((each for each in LENGTHS if each >= longest), longest)
    filled = np.concatenate([rows, np.repeat(rows[:1], size - len(rows))])
    batch = Batch(
        filled,
        np.zeros((size, length), np.int32),
        np.zeros((size, length), np.float32),
        (np.arange(size) < len(rows)).astype(np.float32),
    )
    for place, row in enumerate(filled):
        batch.tokens[place, : len(tokens[row])] = tokens[row]
        batch.mask[place, : len(tokens[row])] = 1
    return batch
