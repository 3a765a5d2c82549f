"""Opening hours as pure functions: open or not, when next, and how much business time lies between two moments.

Local times are read in the time zone of the hours, so a day with a change of the clocks is as long as it really is.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEARCH_DAYS = 400
"""How far ahead an opening is looked for: a year and some weeks."""


class Hours(Protocol):
    """When a team answers; `bot.settings.HoursSettings` is one."""

    @property
    def timezone(self) -> str:
        """IANA name of the time zone."""

    @property
    def weekly(self) -> dict[str, tuple[time, time]]:
        """Opening and closing time of each day that is open, by `mon` to `sun`."""

    @property
    def closed_on(self) -> tuple[str, ...]:
        """Dates (YYYY-MM-DD) on which nobody answers."""


def is_open(hours: Hours, now: datetime) -> bool:
    """Say whether the team answers at `now`."""
    return any(start <= now < end for start, end in _openings(hours, _local_date(hours, now), 1))


def next_opening(hours: Hours, now: datetime) -> datetime | None:
    """Return when the team next answers, in UTC; `now` if it does already, None if not within a year."""
    for start, end in _openings(hours, _local_date(hours, now), SEARCH_DAYS):
        if now < end:
            return max(start, now)
    return None


def business_seconds(hours: Hours, start: datetime, end: datetime) -> float:
    """Return the seconds of business time between two moments; 0 if `end` is not after `start`."""
    days = (_local_date(hours, end) - _local_date(hours, start)).days + 1
    spans = (
        (min(closing, end) - max(opening, start)).total_seconds()
        for opening, closing in _openings(hours, _local_date(hours, start), days)
    )
    return sum(span for span in spans if span > 0)


def _local_date(hours: Hours, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(hours.timezone)).date()


def _openings(hours: Hours, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
    zone = ZoneInfo(hours.timezone)
    for offset in range(days):
        day = first + timedelta(days=offset)
        span = hours.weekly.get(WEEKDAYS[day.weekday()])
        if span and day.isoformat() not in hours.closed_on:
            opening, closing = (datetime.combine(day, at, zone).astimezone(UTC) for at in span)
            yield opening, closing
