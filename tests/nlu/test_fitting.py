"""How heads are fitted."""

import numpy as np
import pytest

from bot.nlu.fitting import Space, Task, fit

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
