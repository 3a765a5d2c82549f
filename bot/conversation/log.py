"""The conversation log: the one write path, and the reads that the rest of Frontdesk needs.

Everything that changes a conversation is one `Log.append`. Source: docs/keys.md for every key.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from bot.conversation.errors import Conflict, FrontdeskError
from bot.conversation.events import Author, Event, MessageSent, OwnerChanged, Priority, dump_event, load_event
from bot.conversation.ids import ConversationId, channel_of
from bot.conversation.keys import LIVE, Keys, partition_of
from bot.conversation.messages import (
    MAILBOX_CHANNELS,
    Accepted,
    Inbound,
    InboxEntry,
    Mail,
    mail_of,
    outbound_of,
)
from bot.conversation.scripts import ACCEPT, APPEND
from bot.conversation.state import BOT, QUEUE, Snapshot, State

SEEN_S = 7 * 24 * 3600
"""How long a platform's message id is remembered; Telegram repeats an update for 24 hours at most."""
MAILBOX_LENGTH = 300
MAILBOX_S = 30 * 24 * 3600


class AlreadyDone(FrontdeskError):
    """The inbox entry of this append was acknowledged before: the work is done, by somebody else or by us."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in its conversation (1, 2, 3, …)."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class MailItem:
    """A mail with its place in the mailbox; places sort by time."""

    place: str
    mail: Mail


def queue_score(priority: Priority | None, queued_at_s: float) -> float:
    """Return the order in the queue: priority first, then waiting time. Smaller is served first."""
    rank = int((priority or Priority.P4).value[1])
    return rank * 1e11 + queued_at_s


class Log:
    """The conversation log on one Redis, or on a Redis Cluster.

    Args:
        redis: a client with `decode_responses=True`.
        partitions: how many; it can't be changed once there is data.
    """

    def __init__(self, redis: "Redis | Any", partitions: int) -> None:
        self.redis: Any = redis
        self.partitions = partitions
        self.keys = tuple(Keys(number) for number in range(partitions))
        self._accept = redis.register_script(ACCEPT)
        self._append = redis.register_script(APPEND)

    def keys_of(self, conversation: ConversationId) -> Keys:
        """Return the keys of the partition that holds a conversation."""
        return self.keys[partition_of(conversation, self.partitions)]

    async def accept(self, inbound: Inbound) -> Accepted:
        """Take a customer's message into the inbox, once for each platform message id."""
        conversation = inbound.conversation
        keys = self.keys_of(conversation)
        mail = ""
        if inbound.channel in MAILBOX_CHANNELS and inbound.edits is None:
            mail = Mail(
                message=inbound.message,
                channel_message=inbound.channel_message,
                author=Author.CUSTOMER,
                text=inbound.text,
                at=inbound.received_at,
            ).model_dump_json(exclude_defaults=True)
        message, duplicate = await self._accept(
            keys=[
                keys.seen(inbound.channel, inbound.customer, inbound.channel_message),
                keys.inbox,
                keys.mail(conversation),
                keys.due,
            ],
            args=[
                inbound.message,
                inbound.model_dump_json(exclude_defaults=True),
                SEEN_S,
                mail,
                MAILBOX_LENGTH,
                MAILBOX_S,
                conversation,
                LIVE,
                "said" if inbound.edits is None else "",
            ],
        )
        return Accepted(message=message, conversation=conversation, duplicate=bool(duplicate))

    async def load(self, conversation: ConversationId) -> Snapshot:
        """Return where a conversation stands; an unknown one is at version 0, owned by the bot."""
        key = self.keys_of(conversation).conversation(conversation)
        version, seq, state, assistant = await self.redis.hmget(key, "version", "seq", "state", "assistant")
        return Snapshot(
            conversation=conversation,
            version=int(version or 0),
            seq=int(seq or 0),
            state=State.model_validate_json(state) if state else State(),
            assistant=assistant or "",
        )

    async def append(
        self,
        snapshot: Snapshot,
        events: Sequence[Event],
        *,
        state: State | None = None,
        assistant: str | None = None,
        ack: InboxEntry | None = None,
        due: bool = False,
    ) -> Snapshot:
        """Write a decision that was made on `snapshot`: events, replies, new state and acknowledgement together.

        Each `MessageSent` among the events goes to the mailbox or the outbox, by channel. With `due`, it holds only as
        long as the customer is silent: a message that was accepted meanwhile wins.

        Raises:
            Conflict: the conversation has moved on since `snapshot` was loaded, or with `due`, the customer has said
                something; nothing was written.
            AlreadyDone: `ack` was acknowledged before; nothing was written.
        """
        conversation = snapshot.conversation
        keys = self.keys_of(conversation)
        new_state = state or snapshot.state
        outbox, mail = self._deliveries(conversation, events, new_state, ack)
        status, version, seq = await self._append(
            keys=[
                keys.conversation(conversation),
                keys.log(conversation),
                keys.events,
                keys.outbox,
                keys.inbox,
                keys.mail(conversation),
                keys.queue,
                keys.tries,
                keys.due,
            ],
            args=[
                secrets.token_hex(8),
                conversation,
                snapshot.version,
                ack.entry if ack else "",
                new_state.model_dump_json(exclude_defaults=True) if state else "",
                assistant or "",
                _queue_change(snapshot.state, new_state),
                MAILBOX_LENGTH,
                MAILBOX_S,
                LIVE,
                _due_change(snapshot.state, new_state),
                "due" if due else "",
                len(events),
                len(outbox),
                *[dump_event(event) for event in events],
                *outbox,
                *mail,
            ],
        )
        if status == "conflict":
            raise Conflict(f"conversation {conversation} is at version {version}, not {snapshot.version}")
        if status == "done":
            raise AlreadyDone(f"inbox entry of {conversation} was handled before")
        return Snapshot(
            conversation=conversation,
            version=version,
            seq=seq,
            state=new_state,
            assistant=snapshot.assistant if assistant is None else assistant,
        )

    def _deliveries(
        self, conversation: ConversationId, events: Sequence[Event], state: State, ack: InboxEntry | None
    ) -> tuple[list[str], list[str]]:
        sent = [event for event in events if isinstance(event, MessageSent)]
        if channel_of(conversation) not in MAILBOX_CHANNELS:
            version = state.owner_version
            return [outbound_of(conversation, one, version).model_dump_json(exclude_defaults=True) for one in sent], []
        mail = [mail_of(one) for one in sent]
        for one in events:
            if isinstance(one, OwnerChanged) and one.owner == BOT:
                mail.append(Mail(kind="done", author=Author.AGENT, at=one.at))
        if ack:
            done = Mail(kind="done", message=ack.inbound.message, at=ack.inbound.received_at)
            mail.append(done)
        return [], [one.model_dump_json(exclude_defaults=True) for one in mail]

    async def read(self, conversation: ConversationId, after: int = 0, count: int = 1000) -> list[Recorded]:
        """Return up to `count` events of a conversation after a place, oldest first (of those still in Redis)."""
        key = self.keys_of(conversation).log(conversation)
        rows = await self.redis.xrange(key, min=f"({after}-0", count=count)
        return [Recorded(int(place.split("-")[0]), load_event(fields["e"])) for place, fields in rows]

    async def mail(self, conversation: ConversationId, after: str = "", count: int = 1000) -> list[MailItem]:
        """Return what came into a mailbox after a place, oldest first."""
        key = self.keys_of(conversation).mail(conversation)
        rows = await self.redis.xrange(key, min=f"({after}" if after else "-", count=count)
        return [MailItem(place, Mail.model_validate_json(fields["m"])) for place, fields in rows]

    async def queue_position(self, priority: Priority, queued_at_s: float) -> int:
        """Return the place (1 is next) that a ticket has in the queue, or would have."""
        score = queue_score(priority, queued_at_s)
        counts = [await self.redis.zcount(keys.queue, "-inf", f"({score}") for keys in self.keys]
        return int(sum(counts)) + 1

    async def due(self, partition: int, now_s: float, count: int = 100) -> list[ConversationId]:
        """Return conversations of a partition whose handoff is due, the one that is overdue longest first."""
        key = self.keys[partition].due
        found: list[ConversationId] = await self.redis.zrangebyscore(key, "-inf", now_s, start=0, num=count)
        return found


def _queue_change(old: State, new: State) -> str:
    if new.owner == QUEUE and new.queued_at:
        return str(queue_score(new.priority, new.queued_at.timestamp()))
    return "-" if old.owner == QUEUE else ""


def _due_change(old: State, new: State) -> str:
    if new.unfinished:
        return str(new.unfinished.due_at.timestamp())
    return "-" if old.unfinished else ""
