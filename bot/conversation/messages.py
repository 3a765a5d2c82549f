"""Messages on their way: in through the inbox, out through the outbox or a mailbox."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from bot.conversation.events import Attachment, Author, Button, MessageSent
from bot.conversation.ids import ConversationId, MessageId, conversation_id

MAILBOX_CHANNELS = frozenset({"web", "rest"})
"""Channels whose customers fetch their messages from a mailbox here; all others are delivered by the sender."""


class _Frozen(BaseModel):
    # While processes are updated one after the other, an old one meets the fields of a newer one.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Inbound(_Frozen):
    """One thing that a customer sent, normalised by a channel.

    `channel_message` is the platform's id of it: the same id twice is the same message. `button` is the id of a
    button that we sent; `edits` names the earlier platform message that gets this new text.
    """

    channel: str
    customer: str
    channel_message: str
    text: str = ""
    button: str | None = None
    attachments: tuple[Attachment, ...] = ()
    sent_at: AwareDatetime | None = None
    received_at: AwareDatetime
    customer_name: str = ""
    edits: str | None = None
    message: MessageId

    @property
    def conversation(self) -> ConversationId:
        """The conversation it belongs to."""
        return conversation_id(self.channel, self.customer)


class InboxEntry(_Frozen):
    """An accepted message that waits for its turn; `entry` is its place in the inbox."""

    entry: str
    inbound: Inbound


class Accepted(_Frozen):
    """The gateway's receipt. A `duplicate` was accepted before, under the same `message` id."""

    message: MessageId
    conversation: ConversationId
    duplicate: bool


class Outbound(_Frozen):
    """A message that the sender has to deliver; `owner_version` is the one it was said under."""

    conversation: ConversationId
    message: MessageId
    author: Author
    author_name: str = ""
    text: str
    buttons: tuple[Button, ...] = ()
    owner_version: int
    at: AwareDatetime


class OutboxEntry(_Frozen):
    """A place in the outbox and what lies there."""

    entry: str
    outbound: Outbound


class Mail(_Frozen):
    """One item of a customer's mailbox: a message as the customer sees it, or the end of the work on one.

    The end of a person's work on the conversation is `done` too: from the author `agent`, and without a `message`.
    `channel_message` is the id that the customer's own client gave to a message of the customer.
    """

    kind: Literal["message", "done"] = "message"
    message: MessageId = MessageId("")
    channel_message: str = ""
    author: Author = Author.SYSTEM
    author_name: str = ""
    text: str = ""
    buttons: tuple[Button, ...] = ()
    in_reply_to: MessageId | None = None
    at: AwareDatetime


def mail_of(sent: MessageSent) -> Mail:
    """Return a sent message as its customer sees it."""
    return Mail(
        message=sent.message,
        author=sent.author,
        author_name=sent.author_name,
        text=sent.text,
        buttons=sent.buttons,
        in_reply_to=sent.in_reply_to,
        at=sent.at,
    )


def outbound_of(conversation: ConversationId, sent: MessageSent, owner_version: int) -> Outbound:
    """Return a sent message as the sender needs it."""
    return Outbound(
        conversation=conversation,
        message=sent.message,
        author=sent.author,
        author_name=sent.author_name,
        text=sent.text,
        buttons=sent.buttons,
        owner_version=owner_version,
        at=sent.at,
    )
