"""How heads are fitted."""

import numpy as np
import pytest

from bot.nlu.fitting import FEWEST_FRESH, FEWEST_TRUE, Space, Task, fit, fit_all
from bot.nlu.linear import to_probabilities

ROWS = 300


def halves() -> tuple[np.ndarray, np.ndarray, Task]:
    random = np.random.default_rng(7)
    features = random.normal(size=(ROWS, 12)).astype(np.float32)
    left, right = features[:, :7], features[:, 7:] + features[:, :5]
    true = left[:, 0] + right[:, 0] + random.normal(size=ROWS) > 0
    return left, right, Task(("true",), true.astype(np.float32)[:, None], False, 1.0)


def test_features_side_by_side_are_fitted_as_if_they_were_one() -> None:
    left, right, task = halves()
    both = np.concatenate([left, right], axis=1)
    beside = fit(Space.of(left, kept=1.0).beside(Space.of(right, kept=1.0)), task)
    one = fit(Space.of(both, kept=1.0), task)
    assert np.abs(beside.linear.logits(both) - one.linear.logits(both)).max() < 0.05
    assert np.abs(one.linear.logits(both)).max() > 1


def test_what_weighs_more_counts_more() -> None:
    left, right, task = halves()
    task = Task(task.labels, task.targets, task.exclusive, 0.001)

    def share(weight: float) -> float:
        found = fit(Space.of(left).beside(Space.of(right, weight=weight)), task).linear.weights[0]
        return float(np.linalg.norm(found[7:]) / np.linalg.norm(found))

    assert share(10.0) > share(1.0) > share(0.1)


def test_a_text_that_counts_for_less_has_less_of_a_say() -> None:
    features = np.eye(2, dtype=np.float32).repeat(30, axis=0)
    targets = np.tile([0, 1], 30).astype(np.float32)[:, None]  # in both kinds of text as often true as not

    def between(known: np.ndarray) -> float:
        """Return how much more is said of the first kind, before the calibration, which asks all alike."""
        found = fit(Space.of(features), Task(("true",), targets, False, 1.0, known))
        first, *_, last = found.linear.logits(features)[:, 0] / found.scale
        return float(first - last)

    first_is_true = (np.arange(60)[:, None] < 30) == (targets > 0)
    assert between(np.ones_like(targets)) == pytest.approx(0, abs=0.05)
    assert between(np.where(first_is_true, 1, 0.2).astype(np.float32)) > 1
    assert between(np.where(first_is_true, 0.2, 1).astype(np.float32)) < -1


def test_a_calibration_on_texts_of_another_share_keeps_the_share_of_all() -> None:
    random = np.random.default_rng(11)
    rows = 4 * FEWEST_FRESH
    true = random.random(rows) < 0.3
    features = (true[:, None] + random.normal(size=(rows, 3))).astype(np.float32)
    fresh = np.where(true, random.random(rows) < 0.9, random.random(rows) < 0.15)
    assert fresh.sum() >= FEWEST_FRESH
    assert true[fresh].sum() >= FEWEST_TRUE
    task = Task(("true",), true.astype(np.float32)[:, None], False, 10.0)
    found = fit_all({"": (Space.of(features), task)}, fresh)[""]
    said = to_probabilities(found.linear.logits(features), exclusive=False).mean()
    assert said == pytest.approx(true.mean(), abs=0.03)
    assert true[fresh].mean() > 0.6


@pytest.mark.parametrize("rows", [20, 200])
def test_few_texts_and_many_have_the_principal_axes_of_their_features(rows: int) -> None:
    features = np.random.default_rng(7).normal(size=(rows, 60)).astype(np.float32)
    space = Space.of(features, kept=0.9)
    centred = features - features.mean(axis=0)
    centred /= centred.std(axis=0)
    strengths = np.linalg.svd(centred, compute_uv=False) ** 2 / rows
    used = space.inputs.shape[1]
    assert 1 < used < min(features.shape)
    assert strengths[:used].sum() >= 0.9 * strengths.sum()
    np.testing.assert_allclose(space.spread, strengths[:used], rtol=1e-3)
    np.testing.assert_allclose(space.inputs.T @ space.inputs / rows, np.diag(space.spread), atol=1e-3)
    np.testing.assert_allclose((features - space.mean) @ space.axes, space.inputs, atol=1e-3)
