"""Scenes that the desk's tests begin with: what the worker and the sender would have written."""

from datetime import datetime

from bot.conversation import ownership
from bot.conversation.events import (
    Author,
    CustomerMessageReceived,
    EpisodeStarted,
    MessageSent,
    Priority,
    Reason,
    utc_now,
)
from bot.conversation.ids import ConversationId, EpisodeId, MessageId, TicketId, channel_of, new_id
from bot.conversation.log import Log
from bot.conversation.state import Handoff
from bot.conversation.triage import Triage
from handoff.database import Database
from handoff.projector import Projector


async def customer_says(
    log: Log, conversation: str, text: str, triage: Triage | None = None, now: datetime | None = None
) -> MessageId:
    """A customer says something; the first time an episode begins."""
    now = now or utc_now()
    snapshot = await log.load(ConversationId(conversation))
    episode = snapshot.state.episode or EpisodeId(new_id("e"))
    message = MessageId(new_id("m"))
    events = []
    if snapshot.state.episode is None:
        events.append(EpisodeStarted(at=now, episode=episode, channel=channel_of(snapshot.conversation)))
    events.append(
        CustomerMessageReceived(
            at=now,
            episode=episode,
            message=message,
            channel_message=new_id("c"),
            text=text,
            customer_name="Kim Lee",
            triage=triage,
        )
    )
    state = snapshot.state.model_copy(update={"episode": episode, "last_customer_at": now, "customer_name": "Kim Lee"})
    await log.append(snapshot, events, state=state)
    return message


async def bot_says(log: Log, conversation: str, text: str, now: datetime | None = None) -> MessageId:
    """The bot answers."""
    snapshot = await log.load(ConversationId(conversation))
    message = MessageId(new_id("m"))
    sent = MessageSent(
        at=now or utc_now(),
        episode=snapshot.state.episode,
        message=message,
        author=Author.BOT,
        author_name="Assistant",
        text=text,
        action="utter_faq/test",
    )
    await log.append(snapshot, [sent])
    return message


async def hand_over(
    log: Log,
    conversation: str,
    priority: Priority = Priority.P3,
    reason: Reason = Reason.CUSTOMER_REQUEST,
    now: datetime | None = None,
) -> TicketId:
    """A customer asks for a person, and the bot hands over."""
    now = now or utc_now()
    await customer_says(log, conversation, "Can I talk to someone?", now=now)
    snapshot = await log.load(ConversationId(conversation))
    move = ownership.hand_over(snapshot.state, Handoff(reason, priority, scores={"ask": 0.9}), now)
    await log.append(snapshot, move.events, state=move.state)
    assert move.state.ticket is not None
    return move.state.ticket


async def project(log: Log, database: Database) -> int:
    """Carry everything into PostgreSQL."""
    return await Projector(log, database).catch_up()
