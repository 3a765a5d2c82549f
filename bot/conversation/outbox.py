"""The outbox's state: progress of deliveries, their end, and the dead letters."""

from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict

from bot.conversation.errors import NotFound
from bot.conversation.events import MessageDelivered, MessageDropped, MessageFailed, dump_event, utc_now
from bot.conversation.ids import MessageId
from bot.conversation.keys import LIVE
from bot.conversation.log import Log
from bot.conversation.messages import Outbound, OutboxEntry
from bot.conversation.scripts import REVIVE, SETTLE


class Progress(BaseModel):
    """How far the delivery of an outbox entry is.

    `open`: a call to the platform began and its end is not recorded; if the process died there, the customer may get
    that part twice. `parts` are sent and recorded.
    """

    model_config = ConfigDict(frozen=True)

    tries: int = 0
    parts: int = 0
    open: bool = False
    repeated: bool = False
    channel_message: str = ""
    error: str = ""


class DeadLetter(BaseModel):
    """A message that could not be delivered, and why."""

    model_config = ConfigDict(frozen=True)

    outbound: Outbound
    error: str
    tries: int
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox and how far it is."""

    entry: OutboxEntry
    progress: Progress


class Outbox:
    """What the sender writes, and what operators see and do."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._settle = log.redis.register_script(SETTLE)
        self._revive = log.redis.register_script(REVIVE)

    async def progress(self, entry: OutboxEntry) -> Progress:
        """Return how far an entry is."""
        data = await self._log.redis.hget(self._sending(entry), entry.entry)
        return Progress.model_validate_json(data) if data else Progress()

    async def note(self, entry: OutboxEntry, progress: Progress) -> None:
        """Record how far an entry is."""
        await self._log.redis.hset(self._sending(entry), entry.entry, progress.model_dump_json(exclude_defaults=True))

    async def delivered(self, entry: OutboxEntry, progress: Progress) -> None:
        """End an entry: the platform took all of it."""
        event = MessageDelivered(
            at=utc_now(),
            message=entry.outbound.message,
            channel_message=progress.channel_message,
            repeated=progress.repeated,
        )
        await self._end(entry, event)

    async def dropped(self, entry: OutboxEntry, why: str) -> None:
        """End an entry without sending it."""
        await self._end(entry, MessageDropped(at=utc_now(), message=entry.outbound.message, why=why))

    async def failed(self, entry: OutboxEntry, progress: Progress, error: str) -> None:
        """End an entry as a dead letter."""
        now = utc_now()
        letter = DeadLetter(outbound=entry.outbound, error=error, tries=progress.tries, at=now)
        await self._end(entry, MessageFailed(at=now, message=entry.outbound.message, error=error), letter)

    async def waiting(self) -> list[Waiting]:
        """Return what lies in the outbox, oldest first in each partition."""
        found = []
        for keys in self._log.keys:
            for place, fields in await self._log.redis.xrange(keys.outbox):
                entry = OutboxEntry(entry=place, outbound=Outbound.model_validate_json(fields["m"]))
                found.append(Waiting(entry, await self.progress(entry)))
        return found

    async def dead(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        letters = []
        for keys in self._log.keys:
            for data in (await self._log.redis.hgetall(keys.dead)).values():
                letters.append(DeadLetter.model_validate_json(data))
        return sorted(letters, key=lambda letter: letter.at)

    async def retry(self, message: MessageId) -> None:
        """Put a dead letter back into the outbox, under the conversation's present ownership.

        Raises:
            NotFound: there is no such dead letter.
        """
        letter = await self._letter(message)
        snapshot = await self._log.load(letter.outbound.conversation)
        outbound = letter.outbound.model_copy(update={"owner_version": snapshot.state.owner_version})
        keys = self._log.keys_of(outbound.conversation)
        done = await self._revive(
            keys=[keys.dead, keys.outbox], args=[message, outbound.model_dump_json(exclude_defaults=True)]
        )
        if not done:
            raise NotFound(f"there is no dead letter {message}")

    async def drop(self, message: MessageId) -> None:
        """Give a dead letter up.

        Raises:
            NotFound: there is no such dead letter.
        """
        letter = await self._letter(message)
        snapshot = await self._log.load(letter.outbound.conversation)
        await self._log.append(snapshot, [MessageDropped(at=utc_now(), message=message, why="dropped_by_operator")])
        await self._log.redis.hdel(self._log.keys_of(letter.outbound.conversation).dead, message)

    async def _letter(self, message: MessageId) -> DeadLetter:
        for keys in self._log.keys:
            data = await self._log.redis.hget(keys.dead, message)
            if data:
                return DeadLetter.model_validate_json(data)
        raise NotFound(f"there is no dead letter {message}")

    def _sending(self, entry: OutboxEntry) -> str:
        return self._log.keys_of(entry.outbound.conversation).sending

    async def _end(
        self,
        entry: OutboxEntry,
        event: MessageDelivered | MessageDropped | MessageFailed,
        letter: DeadLetter | None = None,
    ) -> None:
        conversation = entry.outbound.conversation
        keys = self._log.keys_of(conversation)
        await self._settle(
            keys=[
                keys.outbox,
                keys.sending,
                keys.dead,
                keys.conversation(conversation),
                keys.log(conversation),
                keys.events,
            ],
            args=[
                entry.entry,
                conversation,
                dump_event(event),
                entry.outbound.message,
                letter.model_dump_json() if letter else "",
                LIVE,
            ],
        )
