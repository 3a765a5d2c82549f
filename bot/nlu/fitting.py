"""Train linear classifiers: logistic regression with strong L2, calibrated on folds that were held back.

All labels of a head are fitted in one run, so that a head costs a few matrix products a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.nlu.linear import Floats, Linear, to_probabilities

FOLDS = 3
STEPS = 200
_SEED = 20240229


@dataclass(frozen=True, eq=False)
class Task:
    """What a head is to learn.

    `targets` is `(n, labels) float32` of 0 and 1. `strength` is the inverse of the L2 penalty. `known`, of the shape of
    `targets`, is 0 where nothing is known. `standardise` makes each feature's mean 0 and deviation 1.
    """

    labels: tuple[str, ...]
    targets: Floats
    exclusive: bool
    strength: float
    standardise: bool = True
    known: Floats | None = None


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained head, and the calibrated logits `(n, labels)` that it gave each text while that was held back."""

    linear: Linear
    held_back: Floats
    calibration_error: float


def fit(features: Floats, task: Task, groups: Sequence[int] | None = None) -> Fit:
    """Train and calibrate a head on `(n, features)`.

    Args:
        features: of the texts.
        task: what is to be learnt.
        groups: texts of one group are held back together.
    """
    held_back = np.zeros(task.targets.shape, np.float32)
    folds = _folds(task.targets, groups)
    for part in folds:
        rest = np.setdiff1d(np.arange(len(features)), part)
        held_back[part] = _solve(features[rest], _subset(task, rest)).logits(features[part])
    scale, shift = _calibrate(held_back, task)
    plain = _solve(features, task)
    linear = Linear(
        task.labels,
        (plain.weights * scale[:, None]).astype(np.float32),
        (plain.bias * scale + shift).astype(np.float32),
        task.exclusive,
    )
    logits = held_back * scale + shift
    return Fit(linear, logits, calibration_error(to_probabilities(logits, task.exclusive), task))


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


def _folds(targets: Floats, groups: Sequence[int] | None) -> list[NDArray[np.int64]]:
    """Return the rows of each fold, every label spread over them."""
    random = np.random.default_rng(_SEED)
    rows = len(targets)
    group = np.arange(rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    first = np.unique(group, return_index=True)[1]
    pattern = np.unique(targets[first], axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((random.random(len(first)), pattern))
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % FOLDS
    return [part for number in range(FOLDS) if len(part := np.flatnonzero(fold[group] == number))]


def _subset(task: Task, rows: NDArray[np.int64]) -> Task:
    known = None if task.known is None else task.known[rows]
    return Task(task.labels, task.targets[rows], task.exclusive, task.strength, task.standardise, known)


def _solve(features: Floats, task: Task) -> Linear:
    from scipy.optimize import minimize

    mean, deviation = np.zeros(features.shape[1], np.float32), np.ones(features.shape[1], np.float32)
    if task.standardise:
        mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = np.ascontiguousarray((features - mean) / deviation, dtype=np.float32)
    targets, width = task.targets, inputs.shape[1]
    labels = targets.shape[1]
    known = np.ones_like(targets) if task.known is None else task.known

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat[:-labels].reshape(labels, width).astype(np.float32)
        logits = inputs @ weights.T + flat[-labels:].astype(np.float32)
        error = to_probabilities(logits, task.exclusive).astype(np.float32) - targets
        if task.exclusive:
            raised = logits - logits.max(axis=1, keepdims=True)
            cost = float((np.log(np.exp(raised).sum(axis=1)) - (raised * targets).sum(axis=1)).sum())
        else:
            error = error * known
            cost = float((known * (np.logaddexp(0, logits) - targets * logits)).sum())
        cost += 0.5 / task.strength * float(np.square(weights, dtype=np.float64).sum())
        slope = error.T @ inputs + weights / task.strength
        return cost, np.concatenate([slope.ravel(), error.sum(axis=0)]).astype(np.float64)

    options: dict[str, Any] = {"maxiter": STEPS, "maxcor": 10, "ftol": 1e-6}
    start = np.zeros(labels * width + labels)
    flat = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x.astype(np.float32)
    weights = flat[:-labels].reshape(labels, width) / deviation
    return Linear(task.labels, weights, flat[-labels:] - weights @ mean, task.exclusive)


def _calibrate(logits: Floats, task: Task) -> tuple[Floats, Floats]:
    """Return a scale and a shift for each label that make the held-back logits fit best.

    Source: temperature scaling where one label is true (one scale, no shift), else `platt`.
    """
    from scipy.optimize import minimize_scalar

    labels = len(task.labels)
    if task.exclusive:

        def cost(log_scale: float) -> float:
            raised = logits * np.exp(log_scale)
            raised = raised - raised.max(axis=1, keepdims=True)
            return float((np.log(np.exp(raised).sum(axis=1)) - (raised * task.targets).sum(axis=1)).mean())

        found = minimize_scalar(cost, bounds=(-3, 3), method="bounded").x
        return np.full(labels, np.exp(found), np.float32), np.zeros(labels, np.float32)
    scales, shifts = np.ones(labels, np.float32), np.zeros(labels, np.float32)
    for label in range(labels):
        known = slice(None) if task.known is None else task.known[:, label] > 0
        true = task.targets[known, label]
        if 0 < true.sum() < len(true):
            scales[label], shifts[label] = platt(logits[known, label], true)
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
