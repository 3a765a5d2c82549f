"""Who waits for news of a conversation: Redis' announcements, spread inside one process.

One subscription serves every socket and every waiting request; what was announced is then read from the log.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.conversation.ids import ConversationId
from bot.conversation.keys import LIVE, TYPING

logger = logging.getLogger(__name__)

QUIET_S = 15.0
"""Silence after which the connection is tried; as much silence again and it is given up."""
RETRY_S = 0.5


class Watch:
    """Waits for news of one conversation; what comes while nobody waits is kept."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._typing = False

    def tell(self, typing: bool = False) -> None:
        """Wake the one who waits."""
        self._typing |= typing
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Return when something happened or the time is over; say whether an agent was typing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()
        typing, self._typing = self._typing, False
        return typing


class Live:
    """Listens to Redis for all watches of this process."""

    def __init__(self, redis: "Redis | Any") -> None:
        self._redis: Any = redis
        self._watches: defaultdict[ConversationId, set[Watch]] = defaultdict(set)
        self.closed = False
        """True once the process is stopping: whoever waits should end."""

    @contextmanager
    def watch(self, conversation: ConversationId) -> Iterator[Watch]:
        """Watch a conversation; begin before you read it, so that nothing falls between."""
        watch = Watch()
        watches = self._watches[conversation]
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                self._watches.pop(conversation, None)

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set, then wake everyone for the last time."""
        listener = asyncio.create_task(self._listen(), name="live")
        try:
            await stop.wait()
        finally:
            self.close()
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    def close(self) -> None:
        """Let go of everyone who waits, because the process is stopping."""
        self.closed = True
        self._tell_all()

    async def _listen(self) -> None:
        # Python 3.11's wait_for, in which the client sends, may swallow a cancellation: ask for the flag too.
        while not self.closed:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(LIVE, TYPING)
                    await self._read(pubsub)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("live_unavailable error=%s", type(error).__name__)
            except Exception:
                logger.exception("live_failed")
            if not self.closed:
                await asyncio.sleep(RETRY_S)

    async def _read(self, pubsub: Any) -> None:
        asked = False
        while not self.closed:
            message = await pubsub.get_message(timeout=QUIET_S)
            if message is None:
                if asked:
                    raise TimeoutError("no answer on the subscription")
                await pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "message":
                self._tell(ConversationId(message["data"]), message["channel"] == TYPING)
            elif message["type"] == "subscribe":
                # The client subscribes again after a broken connection, and what was announced meanwhile is lost.
                self._tell_all()

    def _tell(self, conversation: ConversationId, typing: bool) -> None:
        for watch in self._watches.get(conversation, ()):
            watch.tell(typing)

    def _tell_all(self) -> None:
        for conversation in list(self._watches):
            self._tell(conversation, typing=False)
