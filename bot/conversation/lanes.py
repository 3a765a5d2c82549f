"""Lanes: the entries of a stream, in order for each conversation, conversations side by side."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.conversation.connect import reader
from bot.conversation.errors import FrontdeskError
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log
from bot.conversation.scripts import REJECT

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = tuple[str, dict[str, str]]

BLOCK_MS = 1000
BATCH = 100
MAX_WAITING_BYTES = 25_000_000
"""What may wait in the lanes of one stream: some 5,000 conversations whose channel is down."""
ENTRY_BYTES = 5_000
"""What an entry that waits costs besides its text, its task included."""
MAX_PAUSE_S = 10.0


@dataclass
class _Item(Generic[T]):
    """An entry with its place in the stream, its size, and whether nobody has begun to handle it."""

    place: str
    size_bytes: int
    entry: T
    new: bool


@dataclass
class _Waiting(Generic[T]):
    """What was read from a stream and is not handled: in lanes."""

    lanes: dict[ConversationId, deque[_Item[T]]] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)
    size_bytes: int = 0

    def add(self, conversation: ConversationId, item: _Item[T]) -> bool:
        """Put an item at the end of its lane; say whether the lane is new."""
        new = conversation not in self.lanes
        self.lanes.setdefault(conversation, deque()).append(item)
        self.places.add(item.place)
        self.size_bytes += item.size_bytes
        return new

    def next(self, conversation: ConversationId) -> _Item[T] | None:
        """Return the first item of a lane; an empty lane is closed."""
        if self.lanes[conversation]:
            return self.lanes[conversation][0]
        del self.lanes[conversation]
        return None

    def done(self, conversation: ConversationId) -> None:
        """Take the first item of a lane out."""
        item = self.lanes[conversation].popleft()
        self.places.discard(item.place)
        self.size_bytes -= item.size_bytes


class Lanes(Generic[T]):
    """Reads one stream from its oldest entry and hands each entry to `handle`, which takes it out of the stream.

    An entry of a conversation waits until the one before it is handled. If `handle` raises, it is called again with
    the same entry, after a pause that doubles. An entry that can't be parsed is laid aside.

    Args:
        parse: makes an entry from its id and fields, and says which conversation it belongs to.
        handle: is told with each entry whether it is new: it came while its stream was being read here, so nobody can
            have begun to handle it before.
        at_once: how many entries are handled at the same time.
    """

    def __init__(
        self,
        log: Log,
        parse: Callable[[str, Mapping[str, str]], tuple[ConversationId, T]],
        handle: Callable[[T, bool], Awaitable[None]],
        at_once: AbstractAsyncContextManager[Any],
    ) -> None:
        self._log = log
        self._parse = parse
        self._handle = handle
        self._at_once = at_once
        self._reject = log.redis.register_script(REJECT)

    async def run(self, stream: str) -> None:
        """Work on a stream until cancelled."""
        waiting = _Waiting[T]()
        async with reader(self._log.redis, BLOCK_MS / 1000) as redis, asyncio.TaskGroup() as tasks:
            last, caught_up = "0", False
            while True:
                stop_if_cancelled()
                if waiting.size_bytes > MAX_WAITING_BYTES:
                    await asyncio.sleep(0.05)
                    continue
                try:
                    rows = await _read(redis, stream, last)
                    for place, fields in rows:
                        if place not in waiting.places:
                            await self._queue(stream, place, fields, caught_up, waiting, tasks)
                        last = place
                    caught_up = caught_up or len(rows) < BATCH
                except (RedisError, OSError, TimeoutError) as error:
                    logger.warning("stream_unavailable stream=%s error=%s", stream, type(error).__name__)
                    # The Redis that answers next may be another one, which has lost an acknowledgement.
                    last, caught_up = "0", False
                    await asyncio.sleep(0.5)

    async def _queue(
        self,
        stream: str,
        place: str,
        fields: dict[str, str],
        new: bool,
        waiting: _Waiting[T],
        tasks: asyncio.TaskGroup,
    ) -> None:
        try:
            conversation, entry = self._parse(place, fields)
        except Exception as error:
            logger.error("entry_rejected stream=%s entry=%s error=%s", stream, place, type(error).__name__)
            rejected = next(keys.rejected for keys in self._log.keys if stream in (keys.inbox, keys.outbox))
            await self._reject(keys=[stream, rejected], args=[place])
            return
        size_bytes = ENTRY_BYTES + sum(len(value) for value in fields.values())
        if waiting.add(conversation, _Item(place, size_bytes, entry, new)):
            tasks.create_task(self._drain(conversation, waiting))

    async def _drain(self, conversation: ConversationId, waiting: _Waiting[T]) -> None:
        pause_s = 0.05
        while (item := waiting.next(conversation)) is not None:
            stop_if_cancelled()
            try:
                async with self._at_once:
                    new, item.new = item.new, False
                    await self._handle(item.entry, new)
            except (FrontdeskError, RedisError, OSError, TimeoutError) as error:
                logger.warning("entry_waits conversation=%s error=%s", conversation, type(error).__name__)
            except asyncio.CancelledError:
                stop_if_cancelled()
                logger.error("entry_failed conversation=%s error=CancelledError", conversation)
            except Exception:
                logger.exception("entry_failed conversation=%s", conversation)
            else:
                waiting.done(conversation)
                pause_s = 0.05
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)


async def _read(redis: Redis, stream: str, after: str) -> list[Row]:
    answer: Any = await redis.xread({stream: after}, count=BATCH, block=BLOCK_MS)
    return answer[0][1] if answer else []


def stop_if_cancelled() -> None:
    """Raise the cancellation of this task that a call has swallowed.

    Python 3.11's wait_for, in which the Redis client sends, does so with one that comes when it is done.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
