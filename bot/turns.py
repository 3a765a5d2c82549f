"""What the worker and an assistant say to each other."""

from dataclasses import dataclass
from typing import Any, Protocol

from bot.conversation.messages import Inbound
from bot.conversation.triage import Triage


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing that the bot says; `buttons` are pairs of title and payload."""

    text: str
    buttons: tuple[tuple[str, str], ...] = ()
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn decided; nothing is written yet. `commands` are what actions asked Frontdesk to do.

    `unfinished` is the command to hand over that follows if the customer leaves the bot's questions unanswered.
    """

    triage: Triage
    replies: tuple[Reply, ...]
    commands: tuple[dict[str, Any], ...]
    memory: str
    rasa_events: tuple[dict[str, Any], ...]
    duration_ms: float
    fallback: bool
    answered: bool
    model: str
    unfinished: dict[str, Any] | None = None


class Assists(Protocol):
    """What the worker needs of an assistant."""

    async def turn(self, inbound: Inbound, payload: str | None, memory: str, returned: bool) -> Turn:
        """Answer a message."""
        ...

    async def triage(self, text: str) -> Triage:
        """Say what a message is about, without answering."""
        ...
