"""Work that one process at a time does, whichever of them holds the lease."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from bot.conversation.lanes import stop_if_cancelled
from bot.conversation.scripts import RELEASE, RENEW

logger = logging.getLogger(__name__)


class Alone:
    """Holds the lease `key` if nobody else does, and works while it lasts."""

    def __init__(self, redis: Any, key: str, lease_s: float) -> None:
        self._key = key
        self._lease_s = lease_s
        self._holder = secrets.token_hex(8)
        self._renew = redis.register_script(RENEW)
        self._release = redis.register_script(RELEASE)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work whenever the lease is ours, until cancelled."""
        task: asyncio.Task[None] | None = None
        until = 0.0
        try:
            while True:
                until = await self._lease(until)
                stop_if_cancelled()
                if time.monotonic() >= until:
                    await _end(task)
                    task = None
                elif task is None or task.done():
                    _report(task)
                    task = asyncio.create_task(_whole(work), name=self._key)
                await asyncio.sleep(self._lease_s / 3)
        finally:
            await _end(task)
            await self._leave()

    async def _lease(self, until: float) -> float:
        """Return until when the lease is ours; what it was if Redis does not answer, 0 if another has it."""
        now = time.monotonic()
        try:
            ours = await self._renew(keys=[self._key], args=[self._holder, int(self._lease_s * 1000)])
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("lease_unavailable key=%s error=%s", self._key, type(error).__name__)
            return until
        return now + self._lease_s if ours else 0.0

    async def _leave(self) -> None:
        try:
            await self._release(keys=[self._key], args=[self._holder])
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("lease_not_released key=%s error=%s", self._key, type(error).__name__)


async def _whole(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def _end(task: asyncio.Task[None] | None) -> None:
    if task:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _report(task: asyncio.Task[None] | None) -> None:
    if task and not task.cancelled() and task.exception():
        logger.error("work_failed name=%s", task.get_name(), exc_info=task.exception())
