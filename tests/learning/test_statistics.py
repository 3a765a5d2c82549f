"""How sure a figure is."""

import numpy as np
import pytest

from bot.learning.statistics import calibration, difference, interval, macro_f1, mcnemar, share


def test_an_interval_holds_the_figure_and_is_narrower_with_more_messages() -> None:
    few = interval(share(np.arange(40) % 4 > 0), 40)
    many = interval(share(np.arange(4000) % 4 > 0), 4000)
    assert few.low < few.value == many.value == 0.75 < few.high
    # The interval of a share: 1.96 standard errors to each side.
    assert many.high - many.low == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 4000) ** 0.5, rel=0.1)
    assert few.high - few.low == pytest.approx(10 * (many.high - many.low), rel=0.15)


def test_an_interval_is_the_same_each_time() -> None:
    facts = np.arange(50) % 3 > 0
    assert interval(share(facts), 50) == interval(share(facts), 50)


@pytest.mark.parametrize("n", [1, 30])
def test_messages_that_are_all_right_give_no_width(n: int) -> None:
    found = interval(share(np.ones(n, bool)), n)
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_a_difference_is_taken_on_the_same_messages() -> None:
    one = np.arange(200) % 2 > 0
    other = one.copy()
    other[:20] = False
    paired = interval(difference(share(one), share(other)), 200)
    assert paired.value == pytest.approx(0.05)
    assert paired.low > 0  # two samples of their own could not tell them apart
    assert paired.high < 0.1


def test_macro_f1_weighs_rare_labels_like_frequent_ones() -> None:
    right, extra, missed = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    none = (0, 0, 0)
    counts = np.array([[right, none]] * 98 + [[extra, missed]] * 2)
    assert macro_f1(counts)(np.arange(100)) == pytest.approx((2 * 98 / (2 * 98 + 2) + 0) / 2)


# Source of the values: the binomial distribution by hand, 2 × Σ C(n, k) / 2ⁿ for k up to the smaller count.
@pytest.mark.parametrize(
    ("better", "worse", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 2 / 32), (1, 9, 2 * 11 / 1024), (9, 1, 2 * 11 / 1024)]
)
def test_mcnemar_is_exact(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p)


def test_calibration_tells_how_far_probabilities_are_from_what_happens() -> None:
    assert calibration([0.8] * 10, [True] * 8 + [False] * 2) == pytest.approx(0, abs=1e-6)
    assert calibration([0.9] * 10, [True] * 4 + [False] * 6) == pytest.approx(0.5, abs=1e-6)
