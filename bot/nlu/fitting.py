"""Train linear classifiers: logistic regression with strong L2, calibrated on folds that were held back.

All labels of a head are fitted in one run, along the principal axes of the features: a few dozen matrix products.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.nlu.linear import Floats, Linear, to_probabilities

FOLDS = 3
FEWEST_FRESH, FEWEST_TRUE = 300, 30
"""Texts, and texts with a label, that a calibration needs to do without those that the encoder was tuned with."""
AT_ONCE = 2
"""Fits that run at once."""
STEPS = 100
KEPT = 0.99
"""The share of the features' variance that is looked at. Source: measured on BANKING77; 0.999 takes five times as long
for figures within 0.3 points."""
_SEED = 20240229


@dataclass(frozen=True, eq=False)
class Task:
    """What a head is to learn.

    `targets` is `(n, labels) float32` of 0 and 1. `strength` is the inverse of the L2 penalty. `known`, of the shape of
    `targets`, is 0 where nothing is known; where one label is true, all count.
    `added`, of the same shape, is added to the logits of texts that are held back.
    """

    labels: tuple[str, ...]
    targets: Floats
    exclusive: bool
    strength: float
    known: Floats | None = None
    added: Floats | None = None

    def part(self, rows: NDArray[Any]) -> "Task":
        """Return the same for some of the texts."""

        def of(values: Floats | None) -> Floats | None:
            return None if values is None else values[rows]

        return replace(self, targets=self.targets[rows], known=of(self.known), added=of(self.added))


@dataclass(frozen=True, eq=False)
class Space:
    """Features of n texts along the principal axes of each kind of them, where a solver needs few steps.

    `inputs` is `(n, axes) float32`, `spread` `(axes,)` their variances; `axes` `(features, axes)` and `mean`
    `(features,)` lead there.
    """

    inputs: Floats
    spread: Floats
    axes: Floats
    mean: Floats

    @classmethod
    def of(cls, features: Floats, standardise: bool = True, weight: float = 1.0, kept: float = KEPT) -> "Space":
        """Return the space of `(n, features)`; `standardise` gives each feature the same weight, namely `weight`.

        `kept` is the share of their variance that is looked at.
        """
        mean = features.mean(axis=0)
        deviation = features.std(axis=0) + 1e-6 if standardise else np.ones(features.shape[1], np.float32)
        deviation = deviation / np.float32(weight)
        inputs = ((features - mean) / deviation).astype(np.float32)
        fewer_texts = len(inputs) < inputs.shape[1]
        products = inputs @ inputs.T if fewer_texts else inputs.T @ inputs
        spread, axes = _largest(products / len(inputs), kept)
        if fewer_texts:  # found among the texts, and brought from there to the features
            axes = inputs.T @ (axes / np.sqrt(np.maximum(spread * len(inputs), 1e-12)))
        return cls(inputs @ axes, spread, axes / deviation[:, None], mean)

    def beside(self, other: "Space") -> "Space":
        """Return the space of these features followed by those of another, of the same texts.

        The axes of both are not at right angles to each other, which costs the solver some steps.
        """
        from scipy.linalg import block_diag

        return Space(
            np.concatenate([self.inputs, other.inputs], axis=1),
            np.concatenate([self.spread, other.spread]),
            block_diag(self.axes, other.axes),
            np.concatenate([self.mean, other.mean]),
        )

    def linear(self, weights: Floats, bias: Floats, task: "Task") -> Linear:
        """Return a classifier of features from `(labels, axes)` weights."""
        outer = weights @ self.axes.T
        shifted = bias - outer @ self.mean
        return Linear(task.labels, outer.astype(np.float32), shifted.astype(np.float32), task.exclusive)


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained head, and the calibrated logits `(n, labels)` that it gave each text while that was held back.

    `scale` `(labels,)` is what the calibration multiplied the logits by.
    """

    linear: Linear
    scale: Floats
    held_back: Floats
    calibration_error: float


def _largest(products: Floats, kept: float) -> tuple[Floats, Floats]:
    """Return the fewest eigenvalues that make `kept` of the sum of all, and their vectors; the largest first."""
    from scipy.linalg import eigh

    size, enough = len(products), kept * np.trace(products)
    count = 1 + size // 4
    while True:
        count = min(count, size)
        values, vectors = eigh(products, subset_by_index=(size - count, size - 1), driver="evr", check_finite=False)
        total = np.cumsum(values[::-1])
        if total[-1] >= enough or count == size:
            used = int(np.searchsorted(total, enough)) + 1
            return np.maximum(values[::-1][:used], 0), np.ascontiguousarray(vectors[:, ::-1][:, :used])
        count *= 2


def fit(space: Space, task: Task, judged: NDArray[np.int64] | None = None) -> Fit:
    """Train and calibrate a head; the rows of `judged`, or else all, are those that it is calibrated on.

    Texts whose labels are not known still get held-back logits.
    """
    return _fit_all({"": (space, task)}, judged)[""]


def fit_all(heads: Mapping[str, tuple[Space, Task]], fresh: NDArray[np.bool_]) -> dict[str, Fit]:
    """Train and calibrate heads.

    `fresh` `(n,)` says of which texts the encoder does not know the labels already; if those are enough, the
    probabilities are calibrated on them alone.
    """
    return _fit_all(heads, np.flatnonzero(fresh) if fresh.sum() >= FEWEST_FRESH else None)


def _fit_all(heads: Mapping[str, tuple[Space, Task]], judged: NDArray[np.int64] | None) -> dict[str, Fit]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    def without(head: tuple[Space, Task], part: NDArray[np.int64]) -> tuple[Floats, Floats]:
        return _solve(*head, np.setdiff1d(np.arange(len(head[1].targets)), part))

    def whole(head: tuple[Space, Task], parts: list[Future[tuple[Floats, Floats]]]) -> Fit:
        return _fit(*head, judged, [part.result() for part in parts])

    # On a busy machine two threads of one small product wait for each other, ten times as long as one thread takes.
    with threadpool_limits(1), ThreadPoolExecutor(AT_ONCE) as pool:
        parts = [[pool.submit(without, head, part) for part in folds(head[1].targets)] for head in heads.values()]
        return dict(zip(heads, pool.map(whole, heads.values(), parts), strict=True))


def _fit(space: Space, task: Task, judged: NDArray[np.int64] | None, found: Sequence[tuple[Floats, Floats]]) -> Fit:
    """Return a head; `found` are the weights and biases that each part that was held back had no say in."""
    held_back = np.zeros(task.targets.shape, np.float32)
    for part, (weights, bias) in zip(folds(task.targets), found, strict=True):
        held_back[part] = space.inputs[part] @ weights.T + bias
    if task.added is not None:
        held_back += task.added
    judged = np.arange(len(held_back)) if judged is None else judged
    scale, shift = _calibrate(held_back, task, judged)
    start = tuple(np.mean(each, axis=0) for each in zip(*found, strict=True))
    weights, bias = _solve(space, task, np.arange(len(task.targets)), start)
    logits = held_back * scale + shift
    error = calibration_error(to_probabilities(logits[judged], task.exclusive), task.part(judged))
    return Fit(space.linear(weights * scale[:, None], bias * scale + shift, task), scale, logits, error)


def one_hot(values: Sequence[str], labels: Sequence[str]) -> Floats:
    """Return `(n, labels) float32` with a 1 at each value's place."""
    place = {label: index for index, label in enumerate(labels)}
    return np.eye(len(labels), dtype=np.float32)[[place[value] for value in values]]


def many_hot(values: Sequence[Sequence[str]], labels: Sequence[str]) -> Floats:
    """Return `(n, labels) float32` with a 1 at the place of each of a text's values."""
    return np.array([[float(label in each) for label in labels] for each in values], np.float32)


def calibration_error(probabilities: Floats, task: Task, bins: int = 15) -> float:
    """Return the expected calibration error, from 0 to 1.

    Source: Guo et al. (2017), equal-width bins; of the winning label where one is true, else of every label.
    """
    if task.exclusive:
        said = probabilities.max(axis=1)
        true = task.targets[np.arange(len(said)), probabilities.argmax(axis=1)]
    else:
        known = np.ones_like(task.targets, bool) if task.known is None else task.known.astype(bool)
        said, true = probabilities[known], task.targets[known]
    place = np.minimum((said * bins).astype(int), bins - 1)
    gaps = [abs(said[place == i].sum() - true[place == i].sum()) for i in range(bins)]
    return float(sum(gaps) / max(len(said), 1))


def folds(targets: Floats) -> list[NDArray[np.int64]]:
    """Return the rows of each part that is held back once, every label spread over them."""
    pattern = np.unique(targets, axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((np.random.default_rng(_SEED).random(len(targets)), pattern))
    fold = np.empty(len(targets), np.int64)
    fold[order] = np.arange(len(targets)) % FOLDS
    return [part for number in range(FOLDS) if len(part := np.flatnonzero(fold == number))]


def _solve(
    space: Space, task: Task, rows: NDArray[np.int64], start: tuple[Floats, ...] | None = None
) -> tuple[Floats, Floats]:
    """Return `(labels, axes)` weights and `(labels,)` biases that fit some rows best; sooner with a good start."""
    from scipy.optimize import minimize

    if task.known is not None:
        rows = rows[task.known[rows].any(axis=1)]
    inputs, targets = space.inputs[rows], task.targets[rows]
    known = np.ones_like(targets) if task.known is None else task.known[rows]
    labels, width = targets.shape[1], inputs.shape[1]
    # Along the principal axes the curvature is nearly a diagonal one, so that scaled by it all weights are alike.
    share = np.clip((targets * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.002, 0.998)
    curvature = (share * (1 - share) * known.sum(axis=0))[:, None] * space.spread[None, :] + 1 / task.strength
    scale = (1 / np.sqrt(curvature)).astype(np.float32)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat[:-labels].reshape(labels, width).astype(np.float32) * scale
        logits = inputs @ weights.T + flat[-labels:].astype(np.float32)
        if task.exclusive:
            raised = logits - logits.max(axis=1, keepdims=True)
            powers = np.exp(raised)
            total = powers.sum(axis=1, keepdims=True)
            error = powers / total - targets
            cost = float((np.log(total[:, 0]) - (raised * targets).sum(axis=1)).sum())
        else:
            error = (to_probabilities(logits, exclusive=False) - targets) * known
            cost = float((known * (np.logaddexp(0, logits) - targets * logits)).sum())
        cost += 0.5 / task.strength * float(np.square(weights, dtype=np.float64).sum())
        slope = (error.T @ inputs + weights / task.strength) * scale
        return cost, np.concatenate([slope.ravel(), error.sum(axis=0)]).astype(np.float64)

    # From a good start a step gains little, which is not yet a sign that nothing is left to gain.
    options: dict[str, Any] = {"maxiter": STEPS, "maxcor": 10, "ftol": 1e-6 if start else 1e-5}
    weights, bias = start or (np.zeros((labels, width)), np.zeros(labels))
    first = np.concatenate([(weights / scale).ravel(), bias]).astype(np.float64)
    flat = minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x.astype(np.float32)
    return flat[:-labels].reshape(labels, width) * scale, flat[-labels:]


def _calibrate(logits: Floats, task: Task, judged: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return a scale and a shift for each label that make the held-back logits of the judged texts fit best.

    A label that too few of them have is judged by all texts; one that more or fewer of them have than of all texts, as
    if the share were the same.

    Source: temperature scaling where one label is true (one scale, no shift), else `platt`.
    """
    from scipy.optimize import minimize_scalar

    labels = len(task.labels)
    if task.exclusive:
        logits, targets = logits[judged], task.targets[judged]

        def cost(log_scale: float) -> float:
            raised = logits * np.exp(log_scale)
            raised = raised - raised.max(axis=1, keepdims=True)
            return float((np.log(np.exp(raised).sum(axis=1)) - (raised * targets).sum(axis=1)).mean())

        found = minimize_scalar(cost, bounds=(-3, 3), method="bounded").x
        return np.full(labels, np.exp(found), np.float32), np.zeros(labels, np.float32)
    scales, shifts = np.ones(labels, np.float32), np.zeros(labels, np.float32)
    for label in range(labels):
        enough = task.targets[judged, label].sum() >= FEWEST_TRUE
        known = np.arange(len(logits)) if task.known is None else np.flatnonzero(task.known[:, label])
        rows = np.intersect1d(judged, known) if enough else known
        true, share = task.targets[rows, label], task.targets[known, label].mean()
        if 0 < true.sum() < len(true):
            own = true.mean()
            weights = np.where(true > 0, share / own, (1 - share) / (1 - own))
            scales[label], shifts[label] = platt(logits[rows, label], true, weights)
    return scales, shifts


def platt(values: Floats, true: Floats, weights: Floats | float = 1.0) -> tuple[float, float]:
    """Return the scale and the shift that turn values into the log-odds of being true. Source: Platt (1999)."""
    from scipy.optimize import minimize

    given = values.astype(np.float64)

    def cost(pair: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = given * pair[0] + pair[1]
        error = weights * (to_probabilities(odds, False) - true)
        return float((weights * (np.logaddexp(0, odds) - true * odds)).sum()), np.array([error @ given, error.sum()])

    found = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, 20), (-50, 50)]).x
    return float(found[0]), float(found[1])
