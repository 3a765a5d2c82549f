"""The desk's lists: the queue of tickets and the conversations, page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.errors import BadInput
from bot.conversation.events import Priority, Reason
from bot.conversation.ids import AgentId
from bot.conversation.state import BOT, QUEUE
from handoff.tables import ConversationRow, TicketRow, TicketState
from handoff.threads import ticket_view
from handoff.views import ConversationSummary, Page, TicketView, View, decode_cursor, encode_cursor

OPEN = (TicketState.WAITING, TicketState.ACTIVE)
MAX_LIMIT = 200


class TicketFilters(View):
    """Which tickets; empty means any."""

    states: tuple[TicketState, ...] = OPEN
    priorities: tuple[Priority, ...] = ()
    reasons: tuple[Reason, ...] = ()
    channels: tuple[str, ...] = ()
    skill: str | None = None
    assignee: AgentId | None = None
    search: str = Field("", description="part of the customer's name or of the conversation's key")
    newest_first: bool = Field(False, description="instead of by priority and waiting time")


class ConversationFilters(View):
    """Which conversations; empty means any."""

    owner: str | None = Field(None, description="`bot`, `queue`, `agent` (any) or `agent:<id>`")
    channels: tuple[str, ...] = ()
    unanswered: bool = False
    since: datetime | None = Field(None, description="something was said at or after this time")
    search: str = ""


async def list_tickets(
    session: AsyncSession, filters: TicketFilters, cursor: str | None, limit: int
) -> Page[TicketView]:
    """Return a page of tickets by priority and waiting time (longest first), or the newest first."""
    query = select(TicketRow, ConversationRow).join(ConversationRow, ConversationRow.id == TicketRow.conversation)
    wanted: list[tuple[Any, Sequence[object]]] = [
        (TicketRow.state, filters.states),
        (TicketRow.priority, filters.priorities),
        (TicketRow.reason, filters.reasons),
        (TicketRow.channel, filters.channels),
        (TicketRow.skill, (filters.skill,) if filters.skill else ()),
        (TicketRow.assignee, (filters.assignee,) if filters.assignee else ()),
    ]
    for column, values in wanted:
        if values:
            query = query.where(column.in_(values))
    if filters.search:
        query = query.where(_matches(filters.search))
    if filters.newest_first:
        query = query.order_by(TicketRow.requested_at.desc(), TicketRow.id.desc())
        if cursor:
            at, ticket = decode_cursor(cursor, 2)
            query = query.where(tuple_(TicketRow.requested_at, TicketRow.id) < tuple_(_time(at), ticket))
    else:
        query = query.order_by(TicketRow.priority, TicketRow.requested_at, TicketRow.id)
        if cursor:
            priority, at, ticket = decode_cursor(cursor, 3)
            place = tuple_(TicketRow.priority, TicketRow.requested_at, TicketRow.id)
            query = query.where(place > tuple_(_priority(priority), _time(at), ticket))
    rows, more = await _page(session, query, limit)
    next_cursor = None
    if more:
        last: TicketRow = rows[-1][0]
        end = [last.requested_at.isoformat(), last.id]
        next_cursor = encode_cursor(*end) if filters.newest_first else encode_cursor(last.priority, *end)
    return Page(items=[ticket_view(row[0], row[1]) for row in rows], next_cursor=next_cursor)


async def list_conversations(
    session: AsyncSession, filters: ConversationFilters, cursor: str | None, limit: int
) -> Page[ConversationSummary]:
    """Return a page of conversations, the one with the newest message first."""
    query = select(ConversationRow).order_by(ConversationRow.last_message_at.desc(), ConversationRow.id.desc())
    if filters.owner == "agent":
        query = query.where(ConversationRow.owner.not_in([BOT, QUEUE]))
    elif filters.owner:
        query = query.where(ConversationRow.owner == filters.owner)
    if filters.channels:
        query = query.where(ConversationRow.channel.in_(filters.channels))
    if filters.unanswered:
        query = query.where(ConversationRow.unanswered_since.is_not(None))
    if filters.since:
        query = query.where(ConversationRow.last_message_at >= filters.since)
    if filters.search:
        query = query.where(_matches(filters.search))
    if cursor:
        at, conversation = decode_cursor(cursor, 2)
        place = tuple_(ConversationRow.last_message_at, ConversationRow.id)
        query = query.where(place < tuple_(_time(at), conversation))
    rows, more = await _page(session, query, limit)
    items = [ConversationSummary.model_validate(row[0]) for row in rows]
    end = encode_cursor(items[-1].last_message_at.isoformat(), items[-1].id) if more else None
    return Page(items=items, next_cursor=end)


async def count_open(session: AsyncSession) -> dict[TicketState, int]:
    """Return how many tickets wait and how many are being worked on."""
    query = select(TicketRow.state, func.count()).where(TicketRow.state.in_(OPEN)).group_by(TicketRow.state)
    found = {row[0]: row[1] for row in await session.execute(query)}
    return {state: found.get(state, 0) for state in OPEN}


async def _page(session: AsyncSession, query: Any, limit: int) -> tuple[Sequence[Any], bool]:
    if not 1 <= limit <= MAX_LIMIT:
        raise BadInput(f"limit is {limit}; 1 to {MAX_LIMIT} are accepted")
    rows = (await session.execute(query.limit(limit + 1))).all()
    return rows[:limit], len(rows) > limit


def _matches(search: str) -> ColumnElement[bool]:
    return or_(
        ConversationRow.customer_name.icontains(search, autoescape=True),
        ConversationRow.id.icontains(search, autoescape=True),
    )


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadInput("cursor is not one that this list has given") from error
    if time.tzinfo is None:
        raise BadInput("cursor is not one that this list has given")
    return time


def _priority(value: str) -> Priority:
    try:
        return Priority(value)
    except ValueError as error:
        raise BadInput("cursor is not one that this list has given") from error
