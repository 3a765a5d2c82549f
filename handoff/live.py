"""Who wants to know that something happened: Redis' announcements, spread inside one process."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from redis.exceptions import RedisError

from bot.conversation.ids import ConversationId
from bot.conversation.keys import LIVE, TYPING
from handoff.tasks import raise_lost_cancellation

logger = logging.getLogger(__name__)

PROJECTED = "fd:projected"
"""Pub/sub channel: the id of each conversation whose newest events are now in PostgreSQL."""
POLL_S = 1.0
RETRY_S = 0.5


class What(StrEnum):
    """What is known about a change."""

    HAPPENED = "happened"
    """Something was appended to the conversation: its own view has it."""
    PROJECTED = "projected"
    """It has reached PostgreSQL: lists and figures have it."""
    TYPING = "typing"
    """An agent is typing."""
    RELOAD = "reload"
    """Announcements may have been missed: read everything again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One announcement; `conversation` is empty only for RELOAD."""

    what: What
    conversation: ConversationId | None = None


_WHAT = {LIVE: What.HAPPENED, PROJECTED: What.PROJECTED, TYPING: What.TYPING}


class Changes:
    """The announcements for one listener, each told once however often it came since it was last looked at."""

    def __init__(self, conversation: ConversationId | None) -> None:
        self._conversation = conversation
        self._waiting: dict[Change, None] = {}
        self._some = asyncio.Event()

    def tell(self, change: Change) -> None:
        """Add an announcement, if this listener wants it."""
        if self._conversation and change.what != What.RELOAD and change.conversation != self._conversation:
            return
        self._waiting[change] = None
        self._some.set()

    async def next(self, timeout_s: float | None = None) -> Change | None:
        """Wait for the next announcement; None when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._some.wait()
        if not self._waiting:
            return None
        change = next(iter(self._waiting))
        del self._waiting[change]
        if not self._waiting:
            self._some.clear()
        return change

    async def drain(self, timeout_s: float) -> int:
        """Wait for announcements, then forget all of them; returns how many there were."""
        if await self.next(timeout_s) is None:
            return 0
        count = len(self._waiting) + 1
        self._waiting.clear()
        self._some.clear()
        return count

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        change = await self.next()
        if change is None:
            raise StopAsyncIteration
        return change


class Live:
    """One subscription to Redis for all listeners of a process; `run` must be running."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._listeners: set[Changes] = set()

    @asynccontextmanager
    async def listen(self, conversation: ConversationId | None = None) -> AsyncIterator[Changes]:
        """Listen to all changes, or to those of one conversation, as long as the context is open."""
        changes = Changes(conversation)
        self._listeners.add(changes)
        try:
            yield changes
        finally:
            self._listeners.discard(changes)

    async def run(self) -> None:
        """Pass announcements on until cancelled; comes back after Redis was away."""
        troubled = False
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(*_WHAT)
                    while True:
                        message = await pubsub.get_message(timeout=POLL_S)
                        raise_lost_cancellation()
                        troubled = False
                        if message is not None:
                            self._pass_on(message)
            except (RedisError, OSError) as error:
                if not troubled:
                    logger.warning("live updates stopped: Redis does not answer (%s)", type(error).__name__)
                troubled = True
                await asyncio.sleep(RETRY_S)

    def _pass_on(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":  # also after the client has reconnected by itself
                change = Change(What.RELOAD)
            case "message":
                change = Change(_WHAT[message["channel"]], ConversationId(message["data"]))
            case _:
                return
        for listener in tuple(self._listeners):
            listener.tell(change)
