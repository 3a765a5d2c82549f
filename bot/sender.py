"""The sender: delivers the outbox through the channels, in order for each conversation."""

import asyncio
import logging
from collections.abc import Mapping

from bot.channels.base import Channel, RetryLater, Undeliverable
from bot.conversation.events import Author
from bot.conversation.ids import ConversationId, channel_of
from bot.conversation.lanes import Lanes
from bot.conversation.leases import Leases
from bot.conversation.log import Log
from bot.conversation.messages import Outbound, OutboxEntry
from bot.conversation.outbox import Outbox, Progress
from bot.settings import Settings

logger = logging.getLogger(__name__)

SENDS_AT_ONCE = 32
MAX_BACKOFF_S = 300.0


class Sender:
    """Delivers the outbox of the partitions that it holds."""

    def __init__(self, log: Log, channels: Mapping[str, Channel], settings: Settings) -> None:
        self._log = log
        self._channels = channels
        self._settings = settings
        self._outbox = Outbox(log)
        self._at_once = asyncio.Semaphore(SENDS_AT_ONCE)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set."""
        leases = Leases(self._log, "sender", self._settings.worker.lease_s, self._work)
        await leases.run(stop)

    async def _work(self, partition: int) -> None:
        # A pause between two tries must hold up its own conversation only, so the limit is taken per call below.
        lanes = Lanes(self._log, _parse, self.deliver, asyncio.Semaphore(100_000))
        await lanes.run(self._log.keys[partition].outbox)

    async def deliver(self, entry: OutboxEntry) -> None:
        """Deliver a message, or bury it; returns when the outbox entry is gone."""
        progress = await self._outbox.progress(entry)
        if progress.open:
            progress = progress.model_copy(update={"repeated": True})
        while True:
            why = await self._reason_to_drop(entry.outbound, progress)
            if why:
                logger.info("message_dropped message=%s why=%s", entry.outbound.message, why)
                await self._outbox.dropped(entry, why)
                return
            channel = self._channels.get(channel_of(entry.outbound.conversation))
            if channel is None:
                await self._outbox.failed(entry, progress, "the channel is not configured")
                return
            try:
                progress = await self._send(channel, entry, progress)
            except Undeliverable as error:
                logger.warning("message_undeliverable message=%s", entry.outbound.message)
                await self._outbox.failed(entry, progress, str(error))
                return
            except RetryLater as error:
                progress = await self._after_failure(entry, error)
                if progress.tries >= self._settings.worker.send_tries:
                    await self._outbox.failed(entry, progress, str(error))
                    return
                await asyncio.sleep(self._pause_s(progress.tries, error.after_s))
            else:
                await self._outbox.delivered(entry, progress)
                return

    async def _reason_to_drop(self, outbound: Outbound, progress: Progress) -> str | None:
        """Return why a message must not be sent any more: the bot's, and somebody else owns the conversation now.

        Source: design.md, "The bot never talks over a human". A message that is half out is finished.
        """
        if outbound.author is not Author.BOT or progress.parts:
            return None
        snapshot = await self._log.load(outbound.conversation)
        return "taken_over" if snapshot.state.owner_version > outbound.owner_version else None

    async def _send(self, channel: Channel, entry: OutboxEntry, progress: Progress) -> Progress:
        parts = channel.parts(entry.outbound)
        while progress.parts < len(parts):
            progress = progress.model_copy(update={"open": True})
            await self._outbox.note(entry, progress)
            last = progress.parts == len(parts) - 1
            async with self._at_once:
                channel_message = await channel.send(entry.outbound, parts[progress.parts], last)
            progress = progress.model_copy(
                update={"parts": progress.parts + 1, "open": False, "channel_message": channel_message}
            )
            if not last:
                await self._outbox.note(entry, progress)
        return progress

    async def _after_failure(self, entry: OutboxEntry, error: RetryLater) -> Progress:
        progress = await self._outbox.progress(entry)
        # Being asked to wait is no failure of the message: only real failures bring it nearer to the dead letters.
        tries = progress.tries + (0 if error.after_s is not None else 1)
        progress = progress.model_copy(
            update={
                "tries": tries,
                "open": False,
                "error": str(error),
                "repeated": progress.repeated or error.uncertain,
            }
        )
        await self._outbox.note(entry, progress)
        logger.info("delivery_waits message=%s tries=%d", entry.outbound.message, tries)
        return progress

    def _pause_s(self, tries: int, after_s: float | None) -> float:
        if after_s is not None:
            return after_s
        return float(min(self._settings.worker.send_backoff_s * 2 ** (tries - 1), MAX_BACKOFF_S))


def _parse(place: str, fields: Mapping[str, str]) -> tuple[ConversationId, OutboxEntry]:
    outbound = Outbound.model_validate_json(fields["m"])
    return outbound.conversation, OutboxEntry(entry=place, outbound=outbound)
