"""Lanes: the entries of a stream, in order for each conversation, conversations side by side."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from redis.exceptions import RedisError

from bot.conversation.errors import FrontdeskError
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log

logger = logging.getLogger(__name__)

T = TypeVar("T")

BLOCK_MS = 1000
BATCH = 100
MAX_WAITING = 1000
MAX_PAUSE_S = 10.0


class Lanes(Generic[T]):
    """Reads one stream from its oldest entry and hands each entry to `handle`, which takes it out of the stream.

    An entry of a conversation waits until the one before it is handled. If `handle` raises, it is called again with
    the same entry, after a pause that doubles.

    Args:
        parse: makes an entry from its id and fields, and says which conversation it belongs to.
        at_once: how many entries are handled at the same time.
    """

    def __init__(
        self,
        log: Log,
        parse: Callable[[str, Mapping[str, str]], tuple[ConversationId, T]],
        handle: Callable[[T], Awaitable[None]],
        at_once: asyncio.Semaphore,
    ) -> None:
        self._log = log
        self._parse = parse
        self._handle = handle
        self._at_once = at_once

    async def run(self, stream: str) -> None:
        """Work on a stream until cancelled."""
        waiting: dict[ConversationId, deque[T]] = {}
        async with asyncio.TaskGroup() as tasks:
            last = "0"
            while True:
                _stop_if_cancelled()
                if sum(len(lane) for lane in waiting.values()) > MAX_WAITING:
                    await asyncio.sleep(0.05)
                    continue
                try:
                    answer = await self._log.redis.xread({stream: last}, count=BATCH, block=BLOCK_MS)
                except (RedisError, OSError, TimeoutError) as error:
                    logger.warning("stream_unavailable stream=%s error=%s", stream, type(error).__name__)
                    await asyncio.sleep(0.5)
                    continue
                for place, fields in _rows(answer):
                    last = place
                    conversation, entry = self._parse(place, fields)
                    if conversation in waiting:
                        waiting[conversation].append(entry)
                    else:
                        waiting[conversation] = deque([entry])
                        tasks.create_task(self._drain(conversation, waiting))

    async def _drain(self, conversation: ConversationId, waiting: dict[ConversationId, deque[T]]) -> None:
        lane = waiting[conversation]
        pause_s = 0.05
        while lane:
            _stop_if_cancelled()
            try:
                async with self._at_once:
                    await self._handle(lane[0])
            except (FrontdeskError, RedisError, OSError, TimeoutError) as error:
                logger.warning("entry_waits conversation=%s error=%s", conversation, type(error).__name__)
            except Exception:
                logger.exception("entry_failed conversation=%s", conversation)
            else:
                lane.popleft()
                pause_s = 0.05
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)
        del waiting[conversation]


def _stop_if_cancelled() -> None:
    # Python 3.11's wait_for, in which the Redis client sends, swallows a cancellation that comes when it is done.
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def _rows(answer: list[tuple[str, list[tuple[str, dict[str, str]]]]]) -> list[tuple[str, dict[str, str]]]:
    return answer[0][1] if answer else []
