"""The outbox's state: progress of deliveries, their end, and the dead letters."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from bot.conversation.errors import NotFound
from bot.conversation.events import Author, MessageDelivered, MessageDropped, MessageFailed, dump_event, utc_now
from bot.conversation.ids import ConversationId, MessageId, new_id
from bot.conversation.keys import LIVE
from bot.conversation.log import Log
from bot.conversation.messages import Outbound, OutboxEntry
from bot.conversation.scripts import BEGIN, DISCARD, NOTE, REVIVE, SETTLE

logger = logging.getLogger(__name__)


SENDER = "sender"
"""The role whose lease on a partition allows its holder to deliver."""


class Progress(BaseModel):
    """How far the delivery of an outbox entry is.

    `call`: a call to the platform began and what came of it is not known; the process may have died in it. `repeated`:
    the calls before it of which that never became known. `parts` are sent and recorded. `since`: when an operator had
    it tried again, if one did.
    """

    model_config = ConfigDict(frozen=True)

    tries: int = 0
    parts: int = 0
    call: str = ""
    repeated: int = 0
    channel_message: str = ""
    error: str = ""
    since: AwareDatetime | None = None

    @property
    def unknown(self) -> int:
        """Return how many calls may have reached the customer besides those that did for sure."""
        return self.repeated + bool(self.call)


class Leave(StrEnum):
    """Whether a call to the platform may be made now.

    `NOT_MINE`: another sender has the partition, or soon will. `GONE`: the message was delivered or dropped already.
    `TAKEN_OVER`: it is the bot's, and the conversation changed hands since it was said.
    """

    GO = "go"
    NOT_MINE = "not_mine"
    GONE = "gone"
    TAKEN_OVER = "taken_over"


class DeadLetter(BaseModel):
    """A message that could not be delivered, and why; `parts` of it were. `repeated` as in `MessageFailed`."""

    model_config = ConfigDict(frozen=True)

    outbound: Outbound
    error: str
    tries: int
    at: AwareDatetime
    parts: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox and how far it is."""

    entry: OutboxEntry
    progress: Progress


class Outbox:
    """What the sender writes, and what operators see and do."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._begin = log.redis.register_script(BEGIN)
        self._note = log.redis.register_script(NOTE)
        self._settle = log.redis.register_script(SETTLE)
        self._revive = log.redis.register_script(REVIVE)
        self._discard = log.redis.register_script(DISCARD)

    async def progress(self, entry: OutboxEntry) -> Progress:
        """Return how far an entry is."""
        sending = self._log.keys_of(entry.outbound.conversation).sending
        data = await self._log.redis.hget(sending, entry.entry)
        return Progress.model_validate_json(data) if data else Progress()

    async def note(self, entry: OutboxEntry, progress: Progress) -> bool:
        """Record how far an entry is; say no if it is gone, or another sender began after the call in `progress`."""
        keys = self._log.keys_of(entry.outbound.conversation)
        args = [entry.entry, _dump(progress), progress.repeated]
        return bool(await self._note(keys=[keys.outbox, keys.sending], args=args))

    async def begin(self, entry: OutboxEntry, holder: str) -> tuple[Leave, Progress]:
        """Ask for leave to call the platform, and record in the same step that the call began.

        A call that began before and has no known end is counted then, so the count is never short, whatever dies when.
        A message that the bot said in the step that handed the conversation over still goes out: it carries the owner
        version of that step. `holder` is the sender that asks; it must hold the partition's lease.
        """
        outbound = entry.outbound
        keys = self._log.keys_of(outbound.conversation)
        answer, progress = await self._begin(
            keys=[keys.outbox, keys.sending, keys.conversation(outbound.conversation), keys.lease(SENDER)],
            args=[
                entry.entry,
                holder,
                new_id("c"),
                outbound.owner_version if outbound.author is Author.BOT else "",
            ],
        )
        return Leave(answer), Progress.model_validate_json(progress)

    async def delivered(self, entry: OutboxEntry, progress: Progress) -> bool:
        """End an entry: the platform took all of it. Like all that end one, says no where `note` does."""
        event = MessageDelivered(
            at=utc_now(),
            message=entry.outbound.message,
            channel_message=progress.channel_message,
            repeated=progress.unknown,
        )
        return await self._end(entry, progress, event)

    async def dropped(self, entry: OutboxEntry, progress: Progress, why: str) -> bool:
        """End an entry without sending it."""
        event = MessageDropped(at=utc_now(), message=entry.outbound.message, why=why, repeated=progress.unknown)
        return await self._end(entry, progress, event)

    async def failed(self, entry: OutboxEntry, progress: Progress, error: str) -> bool:
        """End an entry as a dead letter."""
        now = utc_now()
        letter = DeadLetter(
            outbound=entry.outbound,
            error=error,
            tries=progress.tries,
            at=now,
            parts=progress.parts,
            repeated=progress.unknown,
        )
        event = MessageFailed(at=now, message=entry.outbound.message, error=error, repeated=progress.unknown)
        return await self._end(entry, progress, event, letter)

    async def waiting(self) -> list[Waiting]:
        """Return what lies in the outbox, oldest first in each partition; what can't be read is left out."""
        found = []
        for keys in self._log.keys:
            for place, fields in await self._log.redis.xrange(keys.outbox):
                try:
                    _, entry = parse(place, fields)
                except (KeyError, ValueError):
                    logger.warning("entry_unreadable stream=%s entry=%s", keys.outbox, place)
                    continue
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
        """Put a dead letter back into the outbox, to be sent from the part that failed.

        A message of the bot gets the conversation's present ownership if it is the bot's, also after an agent had it;
        while it is not, the sender drops what was said before it changed hands.

        Raises:
            NotFound: there is no such dead letter.
        """
        letter = await self._letter(message)
        snapshot = await self._log.load(letter.outbound.conversation)
        outbound = letter.outbound
        if snapshot.state.owned_by_bot:
            outbound = outbound.model_copy(update={"owner_version": snapshot.state.owner_version})
        progress = Progress(parts=letter.parts, repeated=letter.repeated, since=utc_now())
        keys = self._log.keys_of(outbound.conversation)
        done = await self._revive(
            keys=[keys.dead, keys.outbox, keys.sending],
            args=[message, outbound.model_dump_json(exclude_defaults=True), _dump(progress)],
        )
        if not done:
            raise NotFound(f"there is no dead letter {message}")

    async def drop(self, message: MessageId) -> None:
        """Give a dead letter up.

        Raises:
            NotFound: there is no such dead letter.
        """
        letter = await self._letter(message)
        conversation = letter.outbound.conversation
        event = MessageDropped(at=utc_now(), message=message, why="dropped_by_operator", repeated=letter.repeated)
        keys = self._log.keys_of(conversation)
        done = await self._discard(
            keys=[keys.conversation(conversation), keys.log(conversation), keys.events, keys.dead],
            args=[conversation, dump_event(event), LIVE, message],
        )
        if not done:
            raise NotFound(f"there is no dead letter {message}")

    async def _letter(self, message: MessageId) -> DeadLetter:
        for keys in self._log.keys:
            data = await self._log.redis.hget(keys.dead, message)
            if data:
                return DeadLetter.model_validate_json(data)
        raise NotFound(f"there is no dead letter {message}")

    async def _end(
        self,
        entry: OutboxEntry,
        progress: Progress,
        event: MessageDelivered | MessageDropped | MessageFailed,
        letter: DeadLetter | None = None,
    ) -> bool:
        conversation = entry.outbound.conversation
        keys = self._log.keys_of(conversation)
        done = await self._settle(
            keys=[
                keys.conversation(conversation),
                keys.log(conversation),
                keys.events,
                keys.outbox,
                keys.sending,
                keys.dead,
            ],
            args=[
                conversation,
                dump_event(event),
                LIVE,
                entry.entry,
                entry.outbound.message,
                letter.model_dump_json() if letter else "",
                progress.repeated,
            ],
        )
        return bool(done)


def parse(place: str, fields: Mapping[str, str]) -> tuple[ConversationId, OutboxEntry]:
    """Return an entry of the outbox as it lies in the stream, and the conversation it belongs to.

    Raises:
        KeyError, pydantic.ValidationError: it is none.
    """
    outbound = Outbound.model_validate_json(fields["m"])
    return outbound.conversation, OutboxEntry(entry=place, outbound=outbound)


def _dump(progress: Progress) -> str:
    return progress.model_dump_json(exclude_defaults=True)
