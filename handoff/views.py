"""What the desk shows: values for the console and, as they are, the answers of the API."""

import base64
import json
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bot.conversation.errors import BadInput
from bot.conversation.events import Attachment, Author, Button, Outcome, Priority, Reason
from bot.conversation.ids import AgentId, ConversationId, EpisodeId, MessageId, TicketId
from bot.conversation.triage import Entity, Guess, Severity, Triage
from handoff.tables import Delivery, TicketState

Item = TypeVar("Item")


class View(BaseModel):
    """Base of all views."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Page(View, Generic[Item]):
    """Some items of a list; `next_cursor` asks for those after them, None at the end."""

    items: list[Item]
    next_cursor: str | None = None


class TicketView(View):
    """A ticket as it stands now."""

    id: TicketId = Field(examples=["t01jd3k5zq8h2v7rnd"])
    conversation: ConversationId = Field(examples=["telegram:4711"])
    episode: EpisodeId | None
    channel: str = Field(examples=["telegram"])
    customer: str = Field(examples=["4711"])
    customer_name: str = Field(examples=["Kim Lee"])
    seq: int = Field(description="the place of the handoff in the conversation's history")
    handoff: int = Field(description="1 for the conversation's first handoff, 2 for its second")
    state: TicketState
    reason: Reason
    priority: Priority
    skill: str
    scores: dict[str, float] = Field(examples=[{"complaint": 0.93}])
    facts: dict[str, str] = Field(examples=[{"order_number": "LF-20481", "remedy": "refund"}])
    details: list[str] = Field(examples=[["complaint 0.93, blame"]])
    assignee: AgentId | None
    assignee_name: str = Field(examples=["Anna"])
    requested_at: datetime
    claimed_at: datetime | None
    first_agent_reply_at: datetime | None
    closed_at: datetime | None
    outcome: Outcome | None
    comment: str
    last_text: str = Field(description="the beginning of the conversation's last message")
    customer_text: str = Field(
        description="the beginning of the last thing that the customer said in words, if there is any"
    )
    last_message_at: datetime
    unanswered_since: datetime | None = Field(description="since when the customer has had no answer")


class MessageView(View):
    """One thing said, what NLU says of it, and what became of it."""

    id: MessageId = Field(examples=["m01jd3k5zq8h2v7rnd"])
    seq: int = Field(description="its place in the conversation's history")
    at: datetime
    episode: EpisodeId | None
    author: Author
    author_name: str
    agent: AgentId | None
    text: str = Field(examples=["Where is my parcel?"])
    button: str | None
    buttons: list[Button]
    attachments: list[Attachment]
    triage: Triage | None
    in_reply_to: MessageId | None
    action: str | None
    delivery: Delivery | None = Field(description="empty for what the customer said")
    delivered_at: datetime | None
    repeated: int = Field(description="how many more times than `delivery` says the customer may have got it")
    trouble: str | None = Field(description="why it failed or was dropped")
    edited_text: str | None
    edited_at: datetime | None


class NoteView(View):
    """An internal note."""

    seq: int
    at: datetime
    ticket: TicketId | None
    agent: AgentId
    agent_name: str
    text: str


class Moment(View):
    """Something that happened between the messages; `type` is the event's."""

    seq: int
    at: datetime
    type: str
    by: str = Field(description="agent's name or id, `customer` or `idle`; empty where nobody did it")
    text: str = Field(description="reason of a handoff, outcome of a ticket, name of the agent to whom it was given")


class Mood(View):
    """The sentiment of one customer message, from -1 to 1."""

    at: datetime
    message: MessageId
    value: float


class Evidence(View):
    """Why a conversation was handed over, and what a person needs to know before the first word."""

    reason: Reason
    scores: dict[str, float]
    facts: dict[str, str]
    details: list[str]
    intents: list[Guess] = Field(description="the likeliest intents of the episode's messages, best first")
    sentiment: list[Mood] = Field(description="over time")
    severity: Severity
    complaint: float = Field(description="the highest probability of a complaint")
    categories: list[str]
    remedies: list[str]
    urgency: list[str]
    personal_data: list[str] = Field(description="kinds of personal data that the customer wrote")
    languages: list[str] = Field(description="in which the customer wrote, as codes; what can't be told is left out")
    entities: list[Entity]
    bot_said: list[str] = Field(description="what the bot has answered already, oldest first")


class ConversationSummary(View):
    """A conversation in a list."""

    id: ConversationId
    channel: str
    customer: str
    customer_name: str
    owner: str
    owner_name: str
    ticket: TicketId | None
    episode: EpisodeId | None
    handoffs: int
    messages: int
    started_at: datetime
    last_message_at: datetime
    last_author: Author | None
    last_text: str
    unanswered_since: datetime | None


class ConversationView(ConversationSummary):
    """A conversation with its transcript."""

    seq: int = Field(description="the place of the newest event that is in here")
    tickets: list[TicketView] = Field(description="newest first")
    transcript: list[MessageView] = Field(description="oldest first")
    notes: list[NoteView]
    moments: list[Moment]
    evidence: Evidence | None = Field(description="of the newest handoff")
    earlier: int | None = Field(description="ask with before=… for what was said earlier; None at the beginning")


def encode_cursor(*values: str) -> str:
    """Return a place in a list as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, count: int) -> list[str]:
    """Return the values of a cursor.

    Raises:
        BadInput: it is not one of ours.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise BadInput("cursor is not one that this list has given") from error
    if not isinstance(values, list) or len(values) != count or not all(isinstance(one, str) for one in values):
        raise BadInput("cursor is not one that this list has given")
    return values
