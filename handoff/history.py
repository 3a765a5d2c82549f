"""The full history in PostgreSQL: events are added once, and the derived tables follow in the same transaction."""

import contextlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import delete, exists, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.events import (
    CustomerMessageEdited,
    Event,
    HandoffRequested,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    ReturnedToBot,
    TicketAssigned,
    TicketClaimed,
    TicketResolved,
    load_event,
)
from bot.conversation.ids import ConversationId
from handoff.projection import Projection
from handoff.tables import DERIVED, ConversationRow, EpisodeRow, EventRow, MessageRow, TicketRow

logger = logging.getLogger(__name__)

CONVERSATIONS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Item:
    """An event on its way into the history; `event` is None for one that this version does not understand."""

    conversation: ConversationId
    seq: int
    data: dict[str, Any]
    event: Event | None

    @classmethod
    def parse(cls, conversation: str, seq: int, raw: str) -> "Item":
        """Read an event as Redis holds it. PostgreSQL stores no NUL characters: they become U+FFFD."""
        data = _object(raw)
        if "\\u0000" in raw:
            data = _without_nul(data)
        event = event_of(data)
        if event is None:
            logger.error("event kept but not understood: conversation=%s seq=%d", conversation, seq)
        return cls(ConversationId(conversation), seq, data, event)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: how many events were new, and which conversations Redis tells differently."""

    new: int
    diverged: Mapping[ConversationId, int]
    """Conversation to the place of its last event here, which is further than Redis believes."""


def _object(raw: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        data = json.loads(raw)
        if isinstance(data, dict):
            return data
    return {"raw": raw}


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case list():
            return [_without_nul(one) for one in value]
        case dict():
            return {_without_nul(key): _without_nul(one) for key, one in value.items()}
        case _:
            return value


def event_of(data: dict[str, Any]) -> Event | None:
    """Return the event that a row of `events` holds; None if this version does not understand it."""
    try:
        return load_event(json.dumps(data))
    except ValidationError:
        return None


async def record(session: AsyncSession, items: Sequence[Item]) -> Recorded:
    """Add events to the history and to the derived tables; those that are there already change nothing.

    The items of a conversation must be in order. If Redis was emptied or put back to an older state, it gives
    numbers a second time: such an event is kept under the next free number, and the conversation is reported.
    """
    projection = await load(session, items)
    fresh, diverged = _place(
        items,
        {row.id: row.seq for row in projection.conversations.values()},
        await _known(session, projection, items),
    )
    if fresh:
        await session.execute(insert(EventRow), [_row(item) for item in fresh])
    apply(projection, fresh)
    session.add_all(projection.new)
    return Recorded(len(fresh), diverged)


def apply(projection: Projection, items: Iterable[Item]) -> None:
    """Apply items to rows in memory."""
    for item in items:
        if item.event is None:
            projection.skip(item.conversation, item.seq)
        else:
            projection.apply(item.conversation, item.seq, item.event)


def _place(
    items: Sequence[Item], last: dict[ConversationId, int], known: Mapping[tuple[ConversationId, int], Any]
) -> tuple[list[Item], dict[ConversationId, int]]:
    fresh: list[Item] = []
    diverged: dict[ConversationId, int] = {}
    for item in items:
        end = last.get(item.conversation, 0)
        if item.seq <= end:
            if known.get((item.conversation, item.seq)) == item.data:
                continue
            item = replace(item, seq=end + 1)
            diverged[item.conversation] = item.seq
        elif item.seq > end + 1:
            logger.error("events lost: conversation=%s from=%d to=%d", item.conversation, end + 1, item.seq - 1)
        last[item.conversation] = item.seq
        fresh.append(item)
    return fresh, diverged


async def _known(
    session: AsyncSession, projection: Projection, items: Sequence[Item]
) -> dict[tuple[ConversationId, int], Any]:
    rows = projection.conversations
    old = [
        (item.conversation, item.seq)
        for item in items
        if item.conversation in rows and item.seq <= rows[item.conversation].seq
    ]
    if not old:
        return {}
    query = select(EventRow).where(tuple_(EventRow.conversation, EventRow.seq).in_(old))
    return {(row.conversation, row.seq): row.data for row in await session.scalars(query)}


def _row(item: Item) -> dict[str, Any]:
    return {
        "conversation": item.conversation,
        "seq": item.seq,
        "type": str(item.data.get("type", "")),
        "at": item.event.at if item.event else _time(item.data),
        "episode": item.data.get("episode"),
        "data": item.data,
        "applied": item.event is not None,
    }


def _time(data: dict[str, Any]) -> datetime:
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(str(data.get("at")))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC)


async def load(session: AsyncSession, items: Sequence[Item]) -> Projection:
    """Read the rows that these items may change."""
    if not items:
        return Projection()
    conversations = await _rows(session, ConversationRow, ConversationRow.id, {one.conversation for one in items})
    tickets = {row.ticket for row in conversations}
    messages, edits = set(), set()
    for item in items:
        match item.event:
            case HandoffRequested() | TicketClaimed() | TicketAssigned() | TicketResolved() | ReturnedToBot() as event:
                tickets.add(event.ticket)
            case MessageDelivered() | MessageFailed() | MessageDropped() as event:
                messages.add((item.conversation, event.message))
            case CustomerMessageEdited() as event:
                edits.add((item.conversation, event.channel_message))
    by_id = tuple_(MessageRow.conversation, MessageRow.id)
    by_channel = tuple_(MessageRow.conversation, MessageRow.channel_message)
    return Projection(
        conversations,
        await _rows(session, EpisodeRow, EpisodeRow.id, {item.data.get("episode") for item in items}),
        await _rows(session, TicketRow, TicketRow.id, tickets),
        [
            *await _rows(session, MessageRow, by_id, messages),
            *await _rows(session, MessageRow, by_channel, edits),
        ],
    )


async def _rows(session: AsyncSession, table: Any, column: Any, values: set[Any]) -> Sequence[Any]:
    wanted = values - {None}
    if not wanted:
        return []
    return (await session.scalars(select(table).where(column.in_(wanted)))).all()


async def rebuild_conversations(session: AsyncSession, after: str) -> str | None:
    """Make the derived rows of the conversations that follow `after` anew from their events, some at a time.

    Returns the last one of this step, from which the next step begins; None when there are no more.
    """
    query = (
        select(EventRow.conversation)
        .where(EventRow.conversation > after)
        .distinct()
        .order_by(EventRow.conversation)
        .limit(CONVERSATIONS_AT_ONCE)
    )
    conversations = (await session.scalars(query)).all()
    if not conversations:
        await _forget_orphans(session)
        return None
    for table in DERIVED:
        await session.execute(delete(table).where(_owner_column(table).in_(conversations)))
    events = await session.stream_scalars(
        select(EventRow).where(EventRow.conversation.in_(conversations)).order_by(EventRow.conversation, EventRow.seq)
    )
    projection = Projection()
    async for row in events:
        event = event_of(row.data)
        row.applied = event is not None
        apply(projection, [Item(row.conversation, row.seq, row.data, event)])
    session.add_all(projection.new)
    return conversations[-1]


def _owner_column(table: Any) -> Any:
    return table.id if table is ConversationRow else table.conversation


async def _forget_orphans(session: AsyncSession) -> None:
    for table in DERIVED:
        column = _owner_column(table)
        await session.execute(delete(table).where(~exists().where(EventRow.conversation == column)))
