"""What the nearest examples say, and what they must not say of themselves."""

import numpy as np
import pytest

from bot.nlu.fitting import Space, Task, fit, folds
from bot.nlu.nearest import Nearest

WIDTH = 12
NOTHING = -5.0
"""Evidence below it comes from no example at all."""


@pytest.fixture
def strangers() -> tuple[Nearest, np.ndarray]:
    """Examples of two labels, none like another, and the label of each."""
    places = np.arange(WIDTH) % 2
    return Nearest.of(np.eye(WIDTH, dtype=np.float32), np.eye(2, dtype=np.float32)[places]), places


def test_the_label_of_the_nearest_example_has_most_evidence(strangers: tuple[Nearest, np.ndarray]) -> None:
    nearest, _ = strangers
    between = np.zeros((1, WIDTH), np.float32)
    between[0, [4, 7]] = 3.0, 2.9
    (even, odd) = nearest.evidence(between)[0]
    assert even > odd > NOTHING


def test_the_length_of_a_vector_says_nothing(strangers: tuple[Nearest, np.ndarray]) -> None:
    nearest, _ = strangers
    vector = np.arange(1, WIDTH + 1, dtype=np.float32)[None]
    np.testing.assert_allclose(nearest.evidence(vector), nearest.evidence(vector * 8), rtol=1e-5)


def test_no_example_vouches_for_itself_while_it_is_held_back(strangers: tuple[Nearest, np.ndarray]) -> None:
    nearest, places = strangers
    parts = folds(np.eye(2, dtype=np.float32)[places])
    own = np.arange(WIDTH), places
    assert (nearest.evidence(np.eye(WIDTH, dtype=np.float32))[own] > -0.01).all()
    assert (nearest.held_back(parts)[own] < NOTHING).all()


def test_examples_of_other_folds_vouch_and_those_of_the_same_do_not() -> None:
    twins = np.repeat(np.eye(2, dtype=np.float32), 2, axis=0)
    nearest = Nearest.of(twins, twins)
    together, apart = [np.array([0, 1]), np.array([2, 3])], [np.array([0, 2]), np.array([1, 3])]
    own = np.arange(4), nearest.places
    assert (nearest.held_back(together)[own] < NOTHING).all()
    assert (nearest.held_back(apart)[own] > -0.01).all()


def test_what_is_added_while_held_back_is_calibrated_with_the_rest() -> None:
    random = np.random.default_rng(3)
    features = random.normal(size=(90, 4)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[random.integers(0, 3, 90)]
    noise = Task(("a", "b", "c"), targets, True, 1.0)
    told = Task(noise.labels, targets, True, 1.0, added=targets * 20)
    alone, both = (fit(Space.of(features), task) for task in (noise, told))
    assert (alone.held_back.argmax(axis=1) == targets.argmax(axis=1)).mean() < 0.6
    assert (both.held_back.argmax(axis=1) == targets.argmax(axis=1)).all()
    assert both.scale[0] > alone.scale[0]
