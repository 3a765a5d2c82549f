"""Leases: each partition is worked on by one process of a role at a time, and the processes share them evenly."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from bot.conversation.keys import members
from bot.conversation.log import Log
from bot.conversation.scripts import RELEASE, RENEW

logger = logging.getLogger(__name__)

Work = Callable[[int], Awaitable[None]]


class Leases:
    """Holds this process's share of the partitions and runs `work(partition)` for each while the lease lasts.

    A process that dies loses its partitions after `lease_s`. A lease only keeps two processes from doing the same
    work; that a turn has its effect once is settled by `Log.append`.
    """

    def __init__(self, log: Log, role: str, lease_s: float, work: Work) -> None:
        self._log = log
        self._role = role
        self._lease_s = lease_s
        self._work = work
        self._me = secrets.token_hex(8)
        self._renew = log.redis.register_script(RENEW)
        self._release = log.redis.register_script(RELEASE)
        self._held: dict[int, tuple[asyncio.Task[None], float]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Take, keep and share leases until `stop` is set; then give all back."""
        try:
            while not stop.is_set():
                try:
                    await self._round()
                except (RedisError, OSError, TimeoutError) as error:
                    logger.warning("leases_unavailable role=%s error=%s", self._role, type(error).__name__)
                    await self._drop_expired()
                await _wait(stop, self._lease_s / 3)
        finally:
            await asyncio.shield(self._leave())

    async def _round(self) -> None:
        now = time.time()
        key = members(self._role)
        await self._log.redis.zadd(key, {self._me: now})
        await self._log.redis.zremrangebyscore(key, "-inf", now - self._lease_s)
        count = max(1, await self._log.redis.zcard(key))
        share = -(-self._log.partitions // count)
        for partition in list(self._held):
            if len(self._held) > share:
                await self._give_back(partition)
            elif not await self._lease(partition):
                await self._stop_work(partition)
        offset = int(self._me[:4], 16)
        for step in range(self._log.partitions):
            partition = (offset + step) % self._log.partitions
            if len(self._held) >= share:
                break
            if partition not in self._held:
                await self._lease(partition)

    async def _lease(self, partition: int) -> bool:
        deadline = time.monotonic() + self._lease_s
        key = self._log.keys[partition].lease(self._role)
        if not await self._renew(keys=[key], args=[self._me, int(self._lease_s * 1000)]):
            return False
        task = self._held[partition][0] if partition in self._held else None
        if task is None or task.done():
            if task is not None and not task.cancelled() and task.exception():
                logger.error("partition_failed role=%s partition=%d", self._role, partition, exc_info=task.exception())
            task = asyncio.create_task(self._run_work(partition), name=f"{self._role}-{partition}")
        self._held[partition] = (task, deadline)
        return True

    async def _run_work(self, partition: int) -> None:
        await self._work(partition)

    async def _drop_expired(self) -> None:
        for partition, (_, deadline) in list(self._held.items()):
            if time.monotonic() > deadline:
                await self._stop_work(partition)

    async def _stop_work(self, partition: int) -> None:
        task, _ = self._held.pop(partition)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _give_back(self, partition: int) -> None:
        await self._stop_work(partition)
        await self._release(keys=[self._log.keys[partition].lease(self._role)], args=[self._me])

    async def _leave(self) -> None:
        for partition in list(self._held):
            try:
                await self._give_back(partition)
            except (RedisError, OSError, TimeoutError):
                logger.warning("lease_not_released role=%s partition=%d", self._role, partition)
        try:
            await self._log.redis.zrem(members(self._role), self._me)
        except (RedisError, OSError, TimeoutError):
            logger.warning("member_not_removed role=%s", self._role)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
