"""What an action may ask Frontdesk to do: commands, sent as a custom message beside what the customer reads."""

from collections.abc import Mapping
from typing import Any

from bot.conversation.events import Priority, Reason

HAND_OVER = "hand_over"
"""Move the conversation to the queue. Frontdesk itself tells the customer their place and how long it may take."""

OFFER_HANDOFF = "offer_handoff"
"""A person was offered to the customer."""


def hand_over(
    reason: Reason,
    priority: Priority,
    *,
    key: str,
    skill: str = "general",
    scores: Mapping[str, float] | None = None,
    facts: Mapping[str, str] | None = None,
    details: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the message that hands the conversation over. `key` is the same when the same turn runs again."""
    return {
        "frontdesk": {
            "command": HAND_OVER,
            "reason": str(reason),
            "priority": str(priority),
            "key": key,
            "skill": skill,
            "scores": dict(scores or {}),
            "facts": dict(facts or {}),
            "details": list(details),
        }
    }
