"""One conversation as the desk reads it: the rows of PostgreSQL with the newest events of Redis folded over them.

So an agent sees their own reply at once, whether or not the projector has got to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.errors import NotFound
from bot.conversation.events import (
    EpisodeClosed,
    EpisodeStarted,
    Event,
    HandoffOffered,
    HandoffRequested,
    ReturnedToBot,
    TicketAssigned,
    TicketClaimed,
    TicketResolved,
)
from bot.conversation.ids import ConversationId, MessageId, TicketId
from bot.conversation.log import Log, Recorded
from handoff.database import Database
from handoff.evidence import evidence_of
from handoff.history import event_of
from handoff.projection import Projection
from handoff.tables import ConversationRow, EpisodeRow, EventRow, MessageRow, NoteRow, TicketRow
from handoff.views import (
    ConversationSummary,
    ConversationView,
    MessageView,
    Moment,
    NoteView,
    TicketView,
)

EPISODES = 5
"""Newest episodes that the newest events may still speak of."""
TICKETS = 50
NOTES = 500
EVIDENCE_MESSAGES = 200
TAIL_AT_ONCE = 1000
_MOMENTS = (
    "episode_started",
    "episode_closed",
    "handoff_offered",
    "handoff_requested",
    "ticket_claimed",
    "ticket_assigned",
    "ticket_resolved",
    "returned_to_bot",
)


@dataclass(slots=True)
class Thread:
    """A conversation's rows, with the newest events applied."""

    row: ConversationRow
    projection: Projection
    notes: list[NoteRow] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def ticket(self, ticket: TicketId) -> TicketView:
        """Return one of its tickets.

        Raises:
            NotFound: it has no such ticket.
        """
        row = self.projection.tickets.get(ticket)
        if row is None:
            raise NotFound(f"there is no ticket {ticket}")
        return ticket_view(row, self.row)

    def message(self, message: MessageId) -> MessageView | None:
        """Return one of the messages that were read."""
        row = self.projection.messages.get((self.row.id, message))
        return MessageView.model_validate(row) if row else None

    def view(self, before: int | None, limit: int) -> ConversationView:
        """Return the last `limit` messages (before a place) with all that belongs to them."""
        rows = sorted(self.projection.messages.values(), key=lambda row: row.seq)
        messages = [MessageView.model_validate(row) for row in rows]
        shown = [one for one in messages if before is None or one.seq < before][-limit:]
        start = shown[0].seq if shown else 0
        more = start > 1 and self.row.messages > len(shown) and len(shown) == limit
        tickets = sorted(self.projection.tickets.values(), key=lambda row: -row.seq)
        views = [ticket_view(row, self.row) for row in tickets]
        names = {str(row.assignee): row.assignee_name for row in tickets}
        moments = [one.model_copy(update={"by": names.get(one.by, one.by)}) for one in self.moments]
        first = start if more else 0
        end = before or self.row.seq + 1
        return ConversationView(
            **ConversationSummary.model_validate(self.row).model_dump(),
            seq=self.row.seq,
            tickets=views,
            transcript=shown,
            notes=[NoteView.model_validate(row) for row in self.notes if first <= row.seq < end],
            moments=[one for one in moments if first <= one.seq < end],
            evidence=evidence_of(views[0], messages) if views else None,
            earlier=start if more else None,
        )


def ticket_view(ticket: TicketRow, conversation: ConversationRow) -> TicketView:
    """Return a ticket with what its conversation adds."""
    values = {
        name: getattr(ticket if hasattr(TicketRow, name) else conversation, name) for name in TicketView.model_fields
    }
    return TicketView.model_validate(values)


def message_view(conversation: ConversationId, seq: int, event: Event) -> MessageView:
    """Return a message that was said this moment, from its event alone."""
    projection = Projection()
    projection.apply(conversation, seq, event)
    (row,) = projection.messages.values()
    return MessageView.model_validate(row)


class Threads:
    """Reads conversations."""

    def __init__(self, log: Log, database: Database) -> None:
        self._log = log
        self._database = database

    async def read(self, conversation: ConversationId, before: int | None = None, limit: int = 0) -> Thread:
        """Return a conversation with its last `limit` messages before a place.

        Raises:
            NotFound: nothing was ever said in it.
        """
        thread, tail = await self._read(conversation, before, limit, None)
        if tail and thread and tail[0].seq > thread.row.seq + 1:  # projected and trimmed between the two reads
            thread, tail = await self._read(conversation, before, limit, None)
        return _folded(conversation, thread, tail)

    async def message(self, conversation: ConversationId, message: MessageId) -> MessageView | None:
        """Return one message, or None if it was never said."""
        thread, tail = await self._read(conversation, None, 0, message)
        if thread is None and not tail:
            return None
        return _folded(conversation, thread, tail).message(message)

    async def _read(
        self, conversation: ConversationId, before: int | None, limit: int, message: MessageId | None
    ) -> tuple[Thread | None, list[Recorded]]:
        async with self._database.session() as session:
            thread = await _load(session, conversation, before, limit, message)
            session.expunge_all()
        return thread, await self._tail(conversation, thread.row.seq if thread else 0)

    async def _tail(self, conversation: ConversationId, after: int) -> list[Recorded]:
        tail: list[Recorded] = []
        while True:
            page = await self._log.read(conversation, tail[-1].seq if tail else after, TAIL_AT_ONCE)
            tail += page
            if len(page) < TAIL_AT_ONCE:
                return tail


async def _load(
    session: AsyncSession, conversation: ConversationId, before: int | None, limit: int, message: MessageId | None
) -> Thread | None:
    row = await session.get(ConversationRow, conversation)
    if row is None:
        return None
    of_tickets = select(TicketRow).where(TicketRow.conversation == conversation)
    tickets = (await session.scalars(of_tickets.order_by(TicketRow.seq.desc()).limit(TICKETS))).all()
    of_episodes = select(EpisodeRow).where(EpisodeRow.conversation == conversation)
    episodes = await session.scalars(of_episodes.order_by(EpisodeRow.first_seq.desc()).limit(EPISODES))
    messages = await _messages(session, conversation, before, limit, message, tickets)
    thread = Thread(row, Projection([row], episodes, tickets, messages))
    if limit:
        of_notes = select(NoteRow).where(NoteRow.conversation == conversation)
        notes = (await session.scalars(of_notes.order_by(NoteRow.seq.desc()).limit(NOTES))).all()
        thread.notes = list(reversed(notes))
        thread.moments = await _moments(session, conversation)
    return thread


async def _messages(
    session: AsyncSession,
    conversation: ConversationId,
    before: int | None,
    limit: int,
    message: MessageId | None,
    tickets: Sequence[TicketRow],
) -> list[MessageRow]:
    query = select(MessageRow).where(MessageRow.conversation == conversation)
    if message:
        return list((await session.scalars(query.where(MessageRow.id == message))).all())
    if not limit:
        return []
    newest = query.order_by(MessageRow.seq.desc())
    page = newest.where(MessageRow.seq < before) if before else newest
    messages = list((await session.scalars(page.limit(limit))).all())
    if tickets and messages:
        behind = newest.where(MessageRow.episode == tickets[0].episode, MessageRow.seq <= tickets[0].seq)
        messages += (await session.scalars(behind.limit(EVIDENCE_MESSAGES))).all()
    return messages


async def _moments(session: AsyncSession, conversation: ConversationId) -> list[Moment]:
    query = (
        select(EventRow)
        .where(EventRow.conversation == conversation, EventRow.type.in_(_MOMENTS), EventRow.applied)
        .order_by(EventRow.seq)
    )
    events = [(row.seq, event_of(row.data)) for row in await session.scalars(query)]
    moments = [moment_of(seq, event) for seq, event in events if event]
    return [moment for moment in moments if moment]


def _folded(conversation: ConversationId, thread: Thread | None, tail: Sequence[Recorded]) -> Thread:
    projection = thread.projection if thread else Projection()
    moments = thread.moments if thread else []
    for recorded in tail:
        projection.apply(conversation, recorded.seq, recorded.event)
        moment = moment_of(recorded.seq, recorded.event)
        if moment:
            moments.append(moment)
    row = projection.conversations.get(conversation)
    if row is None:
        raise NotFound(f"there is no conversation {conversation}")
    notes = [*(thread.notes if thread else ()), *(one for one in projection.new if isinstance(one, NoteRow))]
    return Thread(row, projection, notes, moments)


def moment_of(seq: int, event: Event) -> Moment | None:
    """Return how an event reads between the messages; None if it has no place there."""
    match event:
        case EpisodeStarted():
            by, text = "customer", ""
        case EpisodeClosed():
            by, text = event.by, ""
        case HandoffOffered() | HandoffRequested():
            by, text = "", str(event.reason)
        case TicketClaimed():
            by, text = event.agent_name, ""
        case TicketAssigned():
            by, text = event.by_name, event.agent_name
        case TicketResolved():
            by, text = event.agent, str(event.outcome)
        case ReturnedToBot():
            by, text = event.agent, ""
        case _:
            return None
    return Moment(seq=seq, at=event.at, type=event.type, by=by, text=text)
