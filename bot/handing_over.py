"""What a handoff needs besides the decision: its evidence from the bot's command, and what the customer is told."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from bot import voice
from bot.conversation.errors import BadInput
from bot.conversation.events import Priority, Reason
from bot.conversation.hours import is_open, next_opening
from bot.conversation.keys import DESK
from bot.conversation.log import Log
from bot.conversation.state import Handoff
from bot.settings import Settings

WAIT_MINUTES = (5, 10, 15, 20, 30, 45, 60)
"""Where the ranges of a wait begin and end."""


def handoff_of(command: Mapping[str, Any]) -> Handoff:
    """Return the handoff that an action asked for.

    Raises:
        BadInput: the command names no reason or priority that there is.
    """
    try:
        return Handoff(
            reason=Reason(command["reason"]),
            priority=Priority(command.get("priority", Priority.P3)),
            skill=str(command.get("skill") or "general"),
            scores={str(name): float(value) for name, value in (command.get("scores") or {}).items()},
            facts={str(name): str(value) for name, value in (command.get("facts") or {}).items() if value},
            details=tuple(str(line) for line in command.get("details") or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("an action asked for a handoff with a reason or priority that there is not") from error


class Waiting:
    """Knows how long a customer will wait for a person."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        self._settings = settings

    async def notice(self, priority: Priority, now: datetime) -> str:
        """Return what a customer who is handed over at `now` is told."""
        hours = self._settings.hours
        if not is_open(hours, now):
            opening = next_opening(hours, now)
            return voice.CLOSED.format(when=_when(opening, now, hours.timezone))
        position = await self._log.queue_position(priority, now.timestamp())
        desk = await self._log.redis.hgetall(DESK)
        handle_s = float(desk.get("handle_s") or self._settings.desk.handle_minutes * 60)
        agents = int(desk.get("agents_online") or 0)
        parts = [voice.HANDED_OVER, voice.NEXT if position == 1 else voice.POSITION.format(position=position)]
        parts.append(expected_wait(position * handle_s / agents) if agents else voice.WAIT_UNKNOWN)
        return " ".join(parts)


def expected_wait(expected_s: float) -> str:
    """Return the sentence about a wait, as a range: an exact minute would be a promise."""
    minutes = expected_s / 60
    if minutes < WAIT_MINUTES[0]:
        return voice.WAIT_SHORT
    for least, most in pairwise(WAIT_MINUTES):
        if minutes < most:
            return voice.WAIT.format(least=least, most=most)
    return voice.WAIT_LONG


def _when(opening: datetime | None, now: datetime, timezone: str) -> str:
    if opening is None:
        return "as soon as we're back"
    zone = ZoneInfo(timezone)
    local, today = opening.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today).days
    day = {0: "today", 1: "tomorrow"}.get(
        days, f"on {local:%A}" if days < 7 else f"on {local:%A} {local.day} {local:%B}"
    )
    return f"{day} from {local:%H:%M}"
