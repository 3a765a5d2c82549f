"""Leases: each partition is worked on by one process of a role at a time, and the processes share them evenly."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from bot.conversation.keys import members
from bot.conversation.log import Log
from bot.conversation.scripts import RELEASE, RENEW

logger = logging.getLogger(__name__)

Work = Callable[[int], Awaitable[None]]

END_S = 15.0
"""How long the lease of a partition that is given back is kept for work that must not be cut off."""


@dataclass
class _Hold:
    """A partition that we work on; `until` is when its lease may run out, on the monotonic clock.

    Once cancelled, the work may go on until `end_by` before the lease is given back. The partition is not taken again
    before the work is over, however long that takes.
    """

    work: asyncio.Task[None]
    until: float
    end_by: float | None = None
    given_back: bool = False

    def end(self) -> None:
        """Ask the work to end."""
        if self.end_by is None:
            self.end_by = time.monotonic() + END_S
            self.work.cancel()


class Leases:
    """Holds this process's share of the partitions and runs `work(partition)` for each while the lease lasts.

    A process that dies loses its partitions after `lease_s`. A lease only keeps two processes from doing the same
    work; that a turn has its effect once is settled by `Log.append`. `holder` is what the leases of this process say.
    """

    def __init__(self, log: Log, role: str, lease_s: float, work: Work) -> None:
        self._log = log
        self._role = role
        self._lease_s = lease_s
        self._work = work
        self.holder = secrets.token_hex(8)
        self._renew = log.redis.register_script(RENEW)
        self._release = log.redis.register_script(RELEASE)
        self._held: dict[int, _Hold] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Take, keep and share leases until `stop` is set; then give all back."""
        try:
            while not stop.is_set():
                try:
                    await self._round()
                except (RedisError, OSError, TimeoutError) as error:
                    logger.warning("leases_unavailable role=%s error=%s", self._role, type(error).__name__)
                    self._end_expired()
                await self._pause(stop)
        finally:
            await asyncio.shield(self._leave())

    async def _round(self) -> None:
        now = time.time()
        key = members(self._role)
        await self._log.redis.zadd(key, {self.holder: now})
        await self._log.redis.zremrangebyscore(key, "-inf", now - self._lease_s)
        count = max(1, await self._log.redis.zcard(key))
        share = -(-self._log.partitions // count)
        await self._keep()
        working = [hold for hold in self._held.values() if hold.end_by is None]
        for hold in working[share:]:
            hold.end()
        offset = int(self.holder[:4], 16)
        for step in range(self._log.partitions):
            partition = (offset + step) % self._log.partitions
            if len(working) >= share:
                break
            if partition not in self._held and (until := await self._lease(partition)):
                self._held[partition] = _Hold(self._start(partition), until)
                working.append(self._held[partition])

    async def _keep(self) -> None:
        """Renew what is worked on, and give back what was ended and is over, or is late."""
        for partition, hold in list(self._held.items()):
            over = hold.work.done()
            if hold.end_by is None:
                until = await self._lease(partition)
                if not until:
                    hold.end()
                    continue
                hold.until = until
                if over:
                    self._report(partition, hold.work)
                    hold.work = self._start(partition)
                continue
            late = time.monotonic() > hold.end_by
            if not (over or late):
                await self._lease(partition)
            elif not hold.given_back:
                if late and not over:
                    logger.warning("partition_still_busy role=%s partition=%d", self._role, partition)
                await self._release(keys=[self._log.keys[partition].lease(self._role)], args=[self.holder])
                hold.given_back = True
            if over and hold.given_back:
                del self._held[partition]

    async def _lease(self, partition: int) -> float:
        """Take or keep a lease; return until when we have it for sure, 0 if another has it."""
        until = time.monotonic() + self._lease_s
        key = self._log.keys[partition].lease(self._role)
        return until if await self._renew(keys=[key], args=[self.holder, int(self._lease_s * 1000)]) else 0.0

    def _start(self, partition: int) -> asyncio.Task[None]:
        return asyncio.create_task(self._run_work(partition), name=f"{self._role}-{partition}")

    async def _run_work(self, partition: int) -> None:
        await self._work(partition)

    def _report(self, partition: int, work: asyncio.Task[None]) -> None:
        if not work.cancelled() and work.exception():
            logger.error("partition_failed role=%s partition=%d", self._role, partition, exc_info=work.exception())

    def _end_expired(self) -> None:
        for hold in self._held.values():
            if time.monotonic() > hold.until:
                hold.end()

    async def _pause(self, stop: asyncio.Event | None = None) -> None:
        """Wait for the next round: a part of the lease, or until told to stop, or until work that was ended is over."""
        wakes = [hold.work for hold in self._held.values() if hold.end_by is not None and not hold.work.done()]
        stopping = [asyncio.create_task(stop.wait())] if stop else []
        if wakes or stopping:
            await asyncio.wait([*wakes, *stopping], timeout=self._lease_s / 3, return_when=asyncio.FIRST_COMPLETED)
        for task in stopping:
            task.cancel()

    async def _leave(self) -> None:
        for hold in self._held.values():
            hold.end()
        try:
            async with asyncio.timeout(END_S + 1):
                while not all(hold.given_back for hold in self._held.values()):
                    await self._pause()
                    await self._keep()
                await self._log.redis.zrem(members(self._role), self.holder)
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("leases_not_released role=%s error=%s", self._role, type(error).__name__)
