"""Opening hours over nights, weekends, closed days and changes of the clocks."""

from datetime import UTC, datetime, time

import pytest

from bot.conversation.hours import business_seconds, is_open, next_opening
from bot.settings import HoursSettings

HOURS = HoursSettings(closed_on=("2026-12-25",))
DAILY = HoursSettings(weekly={day: (time(0, 30), time(4)) for day in ("sat", "sun")})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T07:59:59", False),
        ("2026-11-23T08:00", True),
        ("2026-11-23T20:00", False),
        ("2026-11-22T12:00", False),
        ("2026-12-25T12:00", False),
        ("2026-07-06T07:30", True),
    ],
)
def test_open_or_not(now: str, expected: bool) -> None:
    assert is_open(HOURS, at(now)) is expected


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-21T18:00", "2026-11-23T08:00"),
        ("2026-11-23T06:00", "2026-11-23T08:00"),
        ("2026-11-23T10:00", "2026-11-23T10:00"),
        ("2026-12-24T21:00", "2026-12-26T09:00"),
        ("2026-03-28T18:00", "2026-03-30T07:00"),
    ],
)
def test_next_opening(now: str, opening: str) -> None:
    assert next_opening(HOURS, at(now)) == at(opening)


def test_a_team_that_never_opens_has_no_next_opening() -> None:
    assert next_opening(HoursSettings(weekly={}), at("2026-11-23T10:00")) is None


def test_business_time_leaves_out_nights_and_sundays() -> None:
    assert business_seconds(HOURS, at("2026-11-21T16:00"), at("2026-11-23T09:00")) == 2 * 3600
    assert business_seconds(HOURS, at("2026-11-23T09:00"), at("2026-11-23T09:00")) == 0


def test_a_night_with_a_change_of_the_clocks_is_as_long_as_it_is() -> None:
    assert business_seconds(DAILY, at("2026-03-28T12:00"), at("2026-03-29T12:00")) == 2.5 * 3600
    assert business_seconds(DAILY, at("2026-10-24T12:00"), at("2026-10-25T12:00")) == 4.5 * 3600
