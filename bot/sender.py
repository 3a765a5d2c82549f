"""The sender: delivers the outbox through the channels, in order for each conversation."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TypeVar

from redis.exceptions import RedisError

from bot.channels.base import Channel, RetryLater, Undeliverable
from bot.conversation.events import utc_now
from bot.conversation.ids import channel_of
from bot.conversation.lanes import Lanes, stop_if_cancelled
from bot.conversation.leases import Leases
from bot.conversation.log import Log
from bot.conversation.messages import OutboxEntry
from bot.conversation.outbox import SENDER, Leave, Outbox, Progress, parse
from bot.settings import Settings

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

SENDS_AT_ONCE = 32
"""Deliveries of one channel that are under way side by side; those that pause don't count."""
MAX_BACKOFF_S = 300.0
MIN_WAIT_S = 1.0
"""The least that is waited when a platform asks for it, whatever it says."""


class Sender:
    """Delivers the outbox of the partitions that it holds."""

    def __init__(
        self,
        log: Log,
        channels: Mapping[str, Channel],
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._log = log
        self._channels = channels
        self._settings = settings.worker
        self._clock = clock
        self._outbox = Outbox(log)
        self._leases = Leases(log, SENDER, self._settings.lease_s, self._work)
        self._at_once: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(SENDS_AT_ONCE))

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set."""
        await self._leases.run(stop)

    async def _work(self, partition: int) -> None:
        # A pause between two tries must hold up its own conversation only, so `deliver` has the limit.
        lanes = Lanes(self._log, parse, lambda entry, _: self.deliver(entry), nullcontext())
        await lanes.run(self._log.keys[partition].outbox)

    async def deliver(self, entry: OutboxEntry) -> None:
        """Deliver a message, or bury it; returns when the outbox entry is gone."""
        pause_s: float | None = 0.0
        while pause_s is not None:
            await asyncio.sleep(pause_s)
            async with self._at_once[channel_of(entry.outbound.conversation)]:
                pause_s = await _whole(self._step(entry))

    async def _step(self, entry: OutboxEntry) -> float | None:
        """Send the next part and record it; return the pause before the next step in seconds, None after the last.

        Must not be cut off: a part that is out and not recorded is sent again.
        """
        leave, progress = await self._outbox.begin(entry, self._leases.holder)
        if leave is Leave.NOT_MINE:
            return self._settings.lease_s / 3
        if leave is Leave.TAKEN_OVER:
            logger.info("message_dropped message=%s why=%s", entry.outbound.message, leave.value)
            await self._outbox.dropped(entry, progress, leave.value)
        if leave is not Leave.GO:
            return None
        try:
            progress, last = await self._send(entry, progress)
        except Undeliverable as error:
            return await self._bury(entry, progress.model_copy(update={"call": ""}), error)
        except RetryLater as error:
            return await self._after_failure(entry, progress, error)
        except (Exception, asyncio.CancelledError) as error:
            stop_if_cancelled()
            logger.exception("delivery_failed message=%s", entry.outbound.message)
            what = RetryLater(f"unexpected {type(error).__name__}", uncertain=True)
            return await self._after_failure(entry, progress, what)
        record = self._outbox.delivered if last else self._outbox.note
        recorded = await _surely(lambda: record(entry, progress))
        return None if last and recorded else 0.0

    async def _send(self, entry: OutboxEntry, progress: Progress) -> tuple[Progress, bool]:
        """Send the next part; return the progress after it, and whether it was the last."""
        channel = self._channels.get(channel_of(entry.outbound.conversation))
        if channel is None:
            raise Undeliverable("the channel is not configured")
        progress = progress.model_copy(update={"call": ""})
        parts = channel.parts(entry.outbound)
        if progress.parts >= len(parts):
            return progress, True
        last = progress.parts == len(parts) - 1
        channel_message = await channel.send(entry.outbound, parts[progress.parts], last)
        return progress.model_copy(update={"parts": progress.parts + 1, "channel_message": channel_message}), last

    async def _after_failure(self, entry: OutboxEntry, progress: Progress, error: RetryLater) -> float | None:
        # Being asked to wait is no failure of the message: only real failures bring it nearer to the dead letters.
        tries = progress.tries + (0 if error.after_s is not None else 1)
        call = progress.call if error.uncertain else ""
        progress = progress.model_copy(update={"tries": tries, "error": str(error), "call": call})
        age_s = (self._clock() - (progress.since or entry.outbound.at)).total_seconds()
        if tries >= self._settings.send_tries or age_s > self._settings.send_max_age_s:
            return await self._bury(entry, progress, error)
        await _surely(lambda: self._outbox.note(entry, progress))
        logger.info("delivery_waits message=%s tries=%d", entry.outbound.message, tries)
        if error.after_s is not None:
            return max(MIN_WAIT_S, error.after_s)
        return float(min(self._settings.send_backoff_s * 2 ** (tries - 1), MAX_BACKOFF_S))

    async def _bury(self, entry: OutboxEntry, progress: Progress, error: Exception) -> float | None:
        logger.warning("message_undeliverable message=%s", entry.outbound.message)
        return None if await _surely(lambda: self._outbox.failed(entry, progress, str(error))) else 0.0


async def _surely(write: Callable[[], Awaitable[bool]]) -> bool:
    """Record what a call to a platform came to, however long Redis is away."""
    pause_s = 0.05
    while True:
        try:
            return await write()
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("delivery_unrecorded error=%s", type(error).__name__)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, 5.0)


async def _whole(work: Coroutine[Any, Any, Result]) -> Result:
    """Wait for `work`, which a cancellation does not cut off: it takes effect when the work is over."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled() and task.exception():
            logger.warning("delivery_interrupted error=%s", type(task.exception()).__name__)
        raise
