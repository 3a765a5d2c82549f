"""How sure a figure is: bootstrap intervals, calibration, and whether two models really differ."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest, bootstrap

from bot.nlu.fitting import Task, calibration_error

RESAMPLES = 1000
CONFIDENCE = 0.95
_SEED = 20261126

Rows = NDArray[np.int64]
Facts = NDArray[np.bool_]
Counts = NDArray[np.int64]
"""`(n, labels, 3) int64`: of each message and label the right ones, those too many, and those missed."""


class Interval(BaseModel):
    """A figure with the interval that holds it with 95 % confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float


def interval(figure: Callable[[Rows], float], n: int) -> Interval:
    """Return a figure of `n` messages with its interval, from messages drawn anew with replacement.

    Source: Efron and Tibshirani (1993), percentile bootstrap.
    """
    rows = np.arange(n)
    value = figure(rows)
    if n < 2:
        return Interval(value=value, low=value, high=value)
    found: Any = bootstrap(
        (rows,),
        figure,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(value=value, low=float(found.low), high=float(found.high))


def share(facts: Facts) -> Callable[[Rows], float]:
    """Return the figure: the share of messages for which something is true."""
    return lambda rows: float(facts[rows].mean())


def macro_f1(counts: Counts) -> Callable[[Rows], float]:
    """Return the figure: the mean F1 of those labels that occur."""

    def figure(rows: Rows) -> float:
        right, extra, missed = np.moveaxis(counts[rows].sum(axis=0), -1, 0)
        occurs = right + missed > 0
        if not occurs.any():
            return 1.0
        return float((2 * right / np.maximum(2 * right + extra + missed, 1))[occurs].mean())

    return figure


def difference(one: Callable[[Rows], float], other: Callable[[Rows], float]) -> Callable[[Rows], float]:
    """Return the figure: how much higher `one` is than `other` on the same messages."""
    return lambda rows: one(rows) - other(rows)


def mcnemar(better: int, worse: int) -> float:
    """Return how probable a difference as large as this is if two models are equally good.

    `better` and `worse` count the messages that only the one or only the other has right.

    Source: McNemar (1947), exact, two-sided.
    """
    if better + worse == 0:
        return 1.0
    return float(binomtest(min(better, worse), better + worse, 0.5).pvalue)


def calibration(said: Sequence[float], true: Sequence[bool]) -> float:
    """Return the expected calibration error of probabilities, 0 to 1."""
    targets = np.array(true, np.float32)[:, None]
    task = Task(("true",), targets, exclusive=False, strength=1.0)
    return calibration_error(np.array(said, np.float32)[:, None], task)
