"""How an event becomes, or changes, the row of a message."""

from typing import Any

from bot.conversation.events import (
    Author,
    CustomerMessageEdited,
    CustomerMessageReceived,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    MessageSent,
)
from bot.conversation.messages import MAILBOX_CHANNELS
from bot.conversation.triage import Triage
from handoff.tables import ConversationRow, Delivery, MessageRow


def received_row(conversation: ConversationRow, event: CustomerMessageReceived) -> MessageRow:
    """Return the row of what a customer said, at the conversation's present place."""
    return MessageRow(
        conversation=conversation.id,
        seq=conversation.seq,
        id=event.message,
        episode=event.episode,
        at=event.at,
        author=Author.CUSTOMER,
        author_name=event.customer_name,
        text=event.text,
        button=event.button,
        attachments=[one.model_dump(mode="json", exclude_defaults=True) for one in event.attachments],
        triage=_triage(event.triage),
        channel_message=event.channel_message,
        sent_at=event.sent_at,
    )


def sent_row(conversation: ConversationRow, event: MessageSent) -> MessageRow:
    """Return the row of what the company said; in a mailbox it is delivered as soon as it is said."""
    at_once = conversation.channel in MAILBOX_CHANNELS
    return MessageRow(
        conversation=conversation.id,
        seq=conversation.seq,
        id=event.message,
        episode=event.episode,
        at=event.at,
        author=event.author,
        author_name=event.author_name,
        agent=event.agent,
        text=event.text,
        buttons=[button.model_dump(mode="json") for button in event.buttons],
        in_reply_to=event.in_reply_to,
        action=event.action,
        delivery=Delivery.DELIVERED if at_once else Delivery.SENDING,
        delivered_at=event.at if at_once else None,
    )


def edit(message: MessageRow, event: CustomerMessageEdited) -> None:
    """Note what a customer changed a message to; the first text stays."""
    message.edited_text = event.text
    message.edited_at = event.at
    message.triage = _triage(event.triage) or message.triage


def settle(message: MessageRow, event: MessageDelivered | MessageFailed | MessageDropped) -> None:
    """Note what became of a message."""
    message.repeated = event.repeated
    match event:
        case MessageDelivered():
            message.delivery = Delivery.DELIVERED
            message.delivered_at = event.at
            message.trouble = None
            message.channel_message = event.channel_message or None
        case MessageFailed():
            message.delivery, message.trouble = Delivery.FAILED, event.error
        case MessageDropped():
            message.delivery, message.trouble = Delivery.DROPPED, event.why


def _triage(triage: Triage | None) -> dict[str, Any] | None:
    return triage.model_dump(mode="json") if triage else None
