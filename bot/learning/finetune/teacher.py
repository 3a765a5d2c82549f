"""What a larger encoder says of texts, in the numbers that a smaller one is to give by a linear map."""

from collections.abc import Sequence

import numpy as np

from bot.nlu.encoder import Encoder
from bot.nlu.linear import Floats
from bot.nlu.triage_data import Example

AXES = 256
"""Of the teacher's vectors. Source: of its three layers, each of 768 features, they carry 88 % of the variance."""
PENALTY = 300.0
"""Of the heads, for features whose mean square length is 256."""
_AT_ONCE = 1_000


def read_by(teacher: Encoder, texts: Sequence[str]) -> Floats:
    """Return the means of every other layer of the teacher's upper part, each of length 1, `(n, features)`."""
    places = [max(0, teacher.depth - back) for back in (5, 3, 1)]
    parts = []
    for start in range(0, len(texts), _AT_ONCE):
        layers = teacher.encode(texts[start : start + _AT_ONCE], triage=False).layers[:, places]
        layers = layers / np.linalg.norm(layers, axis=2, keepdims=True)
        parts.append(layers.reshape(len(layers), -1).astype(np.float16))
    return np.concatenate(parts).astype(np.float32)


def wanted(vectors: Floats, examples: Sequence[Example]) -> Floats:
    """Return what the smaller encoder is to give, `(n, k)`: the vectors' main axes, and what heads make of them.

    An axis counts the more the more it spreads, but less than in proportion: what tells moods apart spreads little.
    Both parts count the same. The first rows of `vectors` are those of the `examples`.
    """
    known = vectors[: len(examples)]
    mean = known.mean(axis=0)
    spread, axes = np.linalg.eigh((known - mean).T @ (known - mean) / len(known))
    spread, axes = np.maximum(spread[: -AXES - 1 : -1], 1e-6 * spread[-1]), axes[:, : -AXES - 1 : -1]
    along = (vectors - mean) @ axes
    heads = _heads(along / np.sqrt(spread.sum()) * 16, examples)
    return np.concatenate([_equal(along / spread**0.25), _equal(heads / heads.std(axis=0))], axis=1)


def _heads(features: Floats, examples: Sequence[Example]) -> Floats:
    """Return the log-odds of complaint, moods and severities, learnt from the first rows, `(n, labels)`."""
    from sklearn.linear_model import LogisticRegression

    found = []
    for labels in ("complaint", "sentiment", "severity"):
        head = LogisticRegression(C=1 / PENALTY, max_iter=300)
        head.fit(features[: len(examples)], [str(getattr(example, labels)) for example in examples])
        said = head.decision_function(features)
        found.append((said - said.mean(axis=0)).reshape(len(features), -1))
    return np.concatenate(found, axis=1)


def _equal(values: Floats) -> Floats:
    """Return values whose mean square length is 1."""
    return np.asarray(values / np.sqrt(np.square(values).sum(axis=1).mean()), np.float32)
