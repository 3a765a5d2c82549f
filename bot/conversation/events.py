"""What can happen in a conversation. Events are facts: past tense, never changed, kept in order of `seq`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from bot.conversation.ids import AgentId, EpisodeId, MessageId, TicketId
from bot.conversation.triage import Triage


def utc_now() -> datetime:
    """Return the present time, aware, in UTC; called at composition roots only, passed down as `now`."""
    return datetime.now(UTC)


class Author(StrEnum):
    """Who said a message."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Reason(StrEnum):
    """Why a conversation went to a person."""

    CUSTOMER_REQUEST = "customer_request"
    COMPLAINT = "complaint"
    NEGATIVE_SENTIMENT = "negative_sentiment"
    REPEATED_FALLBACK = "repeated_fallback"
    URGENT = "urgent"
    SENSITIVE_TOPIC = "sensitive_topic"
    LANGUAGE = "language"
    BOT_FAILURE = "bot_failure"
    AGENT_TAKEOVER = "agent_takeover"


class Priority(StrEnum):
    """How soon a ticket must be seen; P1 first."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Outcome(StrEnum):
    """How an agent closed a ticket."""

    SOLVED = "solved"
    INFORMATION_GIVEN = "information_given"
    REFUNDED = "refunded"
    REPLACED = "replaced"
    COMPENSATED = "compensated"
    PASSED_ON = "passed_on"
    NO_ANSWER = "no_answer"
    DUPLICATE = "duplicate"
    SPAM = "spam"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Button(_Frozen):
    """A quick reply. `id` is opaque to the channel; what it means to the bot stays in the conversation's state."""

    id: str
    title: str


class Attachment(_Frozen):
    """Something other than text that a customer sent. `ref` is the platform's id of it."""

    kind: Literal["photo", "document", "voice", "audio", "video", "location", "contact", "sticker", "other"]
    ref: str = ""
    name: str = ""
    mime: str = ""
    size_bytes: int | None = None
    latitude: float | None = None
    longitude: float | None = None


class _Event(_Frozen):
    at: AwareDatetime
    episode: EpisodeId | None = None


class EpisodeStarted(_Event):
    """The first customer message after none, a close or an idle time."""

    type: Literal["episode_started"] = "episode_started"
    channel: str


class EpisodeClosed(_Event):
    """An episode ended. `by` is an agent's id, `customer`, or `idle` (then `at` is when the idle time ran out)."""

    type: Literal["episode_closed"] = "episode_closed"
    by: str


class CustomerMessageReceived(_Event):
    """A customer said something; `at` is when we accepted it."""

    type: Literal["customer_message_received"] = "customer_message_received"
    message: MessageId
    channel_message: str
    text: str
    button: str | None = None
    attachments: tuple[Attachment, ...] = ()
    sent_at: AwareDatetime | None = None
    customer_name: str = ""
    triage: Triage | None = None


class CustomerMessageEdited(_Event):
    """A customer changed a message on the platform; the first text stays in the log."""

    type: Literal["customer_message_edited"] = "customer_message_edited"
    channel_message: str
    text: str
    triage: Triage | None = None


class MessageSent(_Event):
    """The company said something: bot, agent or system. Delivery is told by later events."""

    type: Literal["message_sent"] = "message_sent"
    message: MessageId
    author: Author
    author_name: str = ""
    agent: AgentId | None = None
    text: str
    buttons: tuple[Button, ...] = ()
    in_reply_to: MessageId | None = None
    action: str | None = None
    """The Rasa action or response that said it, for example `utter_faq/delivery_time`."""


class MessageDelivered(_Event):
    """The channel took a message. `repeated`: how many tries besides may have reached the customer, a part or all."""

    type: Literal["message_delivered"] = "message_delivered"
    message: MessageId
    channel_message: str = ""
    repeated: int = 0


class MessageFailed(_Event):
    """A message could not be delivered and lies in the dead letters. `repeated`: how many tries may have reached the
    customer all the same.
    """

    type: Literal["message_failed"] = "message_failed"
    message: MessageId
    error: str
    repeated: int = 0


class MessageDropped(_Event):
    """A message was not sent on purpose; `why` is for example `taken_over`. `repeated` as in `MessageFailed`."""

    type: Literal["message_dropped"] = "message_dropped"
    message: MessageId
    why: str
    repeated: int = 0


class TurnTaken(_Event):
    """The bot handled a customer message. `rasa_events` are Rasa's own, serialised, for rebuild and for learning."""

    type: Literal["turn_taken"] = "turn_taken"
    in_reply_to: MessageId
    rasa_events: tuple[dict[str, Any], ...] = ()
    model: str = ""
    duration_ms: float = 0.0
    fallback: bool = False
    answered: bool = False
    """True if the bot answered a question of the customer (an FAQ answer or a finished task)."""


class HandoffOffered(_Event):
    """The bot offered a person."""

    type: Literal["handoff_offered"] = "handoff_offered"
    reason: Reason


class HandoffRequested(_Event):
    """Ownership moved from the bot to the queue; opens the ticket `ticket`."""

    type: Literal["handoff_requested"] = "handoff_requested"
    ticket: TicketId
    reason: Reason
    priority: Priority
    skill: str = "general"
    scores: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    """What the customer was asked for: `what_happened`, `order_number`, `remedy`, …"""
    details: tuple[str, ...] = ()
    """Human-readable evidence, one line each."""


class OwnerChanged(_Event):
    """Who answers changed; `owner_version` is the new one."""

    type: Literal["owner_changed"] = "owner_changed"
    owner: str
    previous: str
    owner_version: int


class TicketClaimed(_Event):
    """An agent took a ticket, from the queue or over from the bot."""

    type: Literal["ticket_claimed"] = "ticket_claimed"
    ticket: TicketId
    agent: AgentId
    agent_name: str


class TicketAssigned(_Event):
    """A ticket was given to an agent by another, or by a supervisor."""

    type: Literal["ticket_assigned"] = "ticket_assigned"
    ticket: TicketId
    agent: AgentId
    agent_name: str
    by: AgentId
    by_name: str


class NoteAdded(_Event):
    """An internal note; never shown to the customer."""

    type: Literal["note_added"] = "note_added"
    ticket: TicketId | None = None
    agent: AgentId
    agent_name: str
    text: str


class TicketResolved(_Event):
    """An agent closed a ticket."""

    type: Literal["ticket_resolved"] = "ticket_resolved"
    ticket: TicketId
    agent: AgentId
    outcome: Outcome
    comment: str = ""


class ReturnedToBot(_Event):
    """An agent gave the conversation back to the bot without closing the episode."""

    type: Literal["returned_to_bot"] = "returned_to_bot"
    ticket: TicketId
    agent: AgentId


Event = Annotated[
    EpisodeStarted
    | EpisodeClosed
    | CustomerMessageReceived
    | CustomerMessageEdited
    | MessageSent
    | MessageDelivered
    | MessageFailed
    | MessageDropped
    | TurnTaken
    | HandoffOffered
    | HandoffRequested
    | OwnerChanged
    | TicketClaimed
    | TicketAssigned
    | NoteAdded
    | TicketResolved
    | ReturnedToBot,
    Field(discriminator="type"),
]

_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def dump_event(event: Event) -> str:
    """Return the event as JSON, without what has its default value."""
    return event.model_dump_json(exclude_defaults=True)[:-1] + f',"type":"{event.type}"}}'


def load_event(data: str | bytes) -> Event:
    """Return the event that `dump_event` wrote.

    Raises:
        pydantic.ValidationError: if it is not one.
    """
    return _adapter.validate_json(data)
