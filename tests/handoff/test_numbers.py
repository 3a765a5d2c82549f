import pytest

from handoff.metrics import Unit
from handoff.numbers import number


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, Unit.SHARE, "–"),
        (1234, Unit.COUNT, "1 234"),
        (66.666, Unit.SHARE, "66.7 %"),
        (0.04, Unit.DURATION, "0.0 s"),
        (2.7, Unit.DURATION, "2.7 s"),
        (59.6, Unit.DURATION, "1 min 0 s"),
        (100, Unit.DURATION, "1 min 40 s"),
        (7_800, Unit.DURATION, "2 h 10 min"),
        (273_600, Unit.DURATION, "3 d 4 h"),
    ],
)
def test_a_value_is_said_with_its_unit_and_not_rounded_to_nothing(value, unit, said):
    assert number(value, unit) == said
