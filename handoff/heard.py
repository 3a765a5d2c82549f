"""What customers wrote to the bot in a period, with how an agent closed the case: for review and replay."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased

from bot.conversation.events import Author, Outcome
from bot.conversation.ids import channel_of
from bot.conversation.triage import Triage
from handoff.database import Database
from handoff.tables import MessageRow, TicketRow, TicketState

MOST = 100_000
"""Messages that are read at most, the newest of a period."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a customer to the bot, in its last wording; `outcome` and `comment` are an agent's wrap-up."""

    message: str
    at: datetime
    channel: str
    customer_name: str
    text: str
    triage: Triage
    outcome: Outcome | None = None
    comment: str = ""


async def heard_by_the_bot(database: Database, since: datetime, until: datetime, most: int = MOST) -> list[Heard]:
    """Return what customers typed to the bot in a period and was triaged, the newest first.

    Left out are buttons, attachments without words, and what was said while a person had the conversation: a message
    was the bot's if bot or system answered it.
    """
    reply = aliased(MessageRow)
    wording = func.coalesce(MessageRow.edited_text, MessageRow.text)
    answered = exists().where(
        reply.conversation == MessageRow.conversation,
        reply.in_reply_to == MessageRow.id,
        reply.author.in_((Author.BOT, Author.SYSTEM)),
    )
    query = (
        select(MessageRow)
        .where(MessageRow.at >= since, MessageRow.at < until, MessageRow.author == Author.CUSTOMER)
        .where(MessageRow.button.is_(None), MessageRow.triage.is_not(None), wording != "", answered)
        .order_by(MessageRow.at.desc(), MessageRow.conversation, MessageRow.seq.desc())
        .limit(most)
    )
    closed = select(TicketRow).where(TicketRow.requested_at >= since, TicketRow.state == TicketState.RESOLVED)
    async with database.session() as session:
        tickets: dict[str | None, list[TicketRow]] = defaultdict(list)
        for ticket in await session.scalars(closed.order_by(TicketRow.conversation, TicketRow.seq)):
            tickets[ticket.episode].append(ticket)
        rows = await session.stream_scalars(query.execution_options(yield_per=1000))
        return [_heard(row, tickets.get(row.episode, ())) async for row in rows]


def _heard(row: MessageRow, tickets: Sequence[TicketRow]) -> Heard:
    # The case that a message led to is the first that was opened after it.
    ticket = next((one for one in tickets if one.seq >= row.seq), None)
    return Heard(
        message=row.id,
        at=row.at,
        channel=channel_of(row.conversation),
        customer_name=row.author_name,
        text=row.text if row.edited_text is None else row.edited_text,
        triage=Triage.model_validate(row.triage),
        outcome=ticket.outcome if ticket else None,
        comment=ticket.comment if ticket else "",
    )
