"""The tables of the desk in PostgreSQL.

`events` is the full history and the only truth here; conversations, episodes, messages, tickets and notes are derived
from it by handoff.projection and can be rebuilt at any time. Accounts are in handoff.account_tables.
"""

from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, dataclass_transform

from sqlalchemy import BigInteger, DateTime, Index, Text
from sqlalchemy import Enum as EnumType
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from bot.conversation.events import Author, Outcome, Priority, Reason
from bot.conversation.ids import AgentId, ConversationId, EpisodeId, MessageId, TicketId


class Role(StrEnum):
    """What a person or an integration may do; docs/security.md has the table."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    DESIGNER = "designer"
    ADMIN = "admin"


class TicketState(StrEnum):
    """Where a ticket stands; `resolved` and `returned` are final."""

    WAITING = "waiting"
    ACTIVE = "active"
    RESOLVED = "resolved"
    RETURNED = "returned"


class Delivery(StrEnum):
    """What became of a message of the company."""

    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(mapped_column,))
class Table(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False, repr=False):
    """Base of all tables: rows are dataclasses, so that defaults hold before they are written."""

    type_annotation_map = {  # noqa: RUF012
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        ConversationId: Text,
        MessageId: Text,
        EpisodeId: Text,
        TicketId: Text,
        AgentId: Text,
        Enum: EnumType(Enum, native_enum=False, length=40, values_callable=lambda kind: [one.value for one in kind]),
    }


class EventRow(Table):
    """One event of a conversation. `applied` is False for one that this version does not understand."""

    __tablename__ = "events"

    conversation: Mapped[ConversationId] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str]
    at: Mapped[datetime]
    episode: Mapped[EpisodeId | None] = mapped_column(default=None)
    data: Mapped[dict[str, Any]]
    applied: Mapped[bool] = mapped_column(default=True, server_default=sql("true"))

    __table_args__ = (
        Index("events_type_at", "type", "at"),
        Index("events_at", "at"),
        Index("events_episode", "episode", "seq"),
        Index("events_not_applied", "conversation", "seq", postgresql_where=sql("NOT applied")),
    )


class OffsetRow(Table):
    """How far a partition's event stream is projected: the id of its last entry that is in `events`."""

    __tablename__ = "offsets"

    partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry: Mapped[str]
    projected_at: Mapped[datetime]


class InstallationRow(Table):
    """A fact of the installation: which conversation `log` it has, when Redis and PostgreSQL last `diverged`."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class ConversationRow(Table):
    """Where a conversation stands after its event `seq`."""

    __tablename__ = "conversations"

    id: Mapped[ConversationId] = mapped_column(primary_key=True)
    channel: Mapped[str]
    customer: Mapped[str]
    customer_name: Mapped[str] = mapped_column(default="")
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    owner: Mapped[str] = mapped_column(default="bot")
    owner_name: Mapped[str] = mapped_column(default="")
    owner_version: Mapped[int] = mapped_column(default=0)
    ticket: Mapped[TicketId | None] = mapped_column(default=None)
    episode: Mapped[EpisodeId | None] = mapped_column(default=None)
    handoffs: Mapped[int] = mapped_column(default=0)
    messages: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    last_message_at: Mapped[datetime]
    last_author: Mapped[Author | None] = mapped_column(default=None)
    last_text: Mapped[str] = mapped_column(default="")
    """The beginning of the last message, for lists."""
    customer_text: Mapped[str] = mapped_column(default="", server_default="")
    """The beginning of the last thing that the customer said, for the queue."""
    unanswered_since: Mapped[datetime | None] = mapped_column(default=None)
    """When the customer said the first thing that nobody has answered yet."""

    __table_args__ = (
        Index("conversations_last", "last_message_at", "id"),
        Index("conversations_owner", "owner", "last_message_at", "id"),
    )


class EpisodeRow(Table):
    """An episode, with the counts and clocks that figures start from."""

    __tablename__ = "episodes"

    id: Mapped[EpisodeId] = mapped_column(primary_key=True)
    conversation: Mapped[ConversationId]
    channel: Mapped[str]
    started_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    closed_by: Mapped[str | None] = mapped_column(default=None)
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    customer_messages: Mapped[int] = mapped_column(default=0)
    bot_messages: Mapped[int] = mapped_column(default=0)
    agent_messages: Mapped[int] = mapped_column(default=0)
    answered: Mapped[int] = mapped_column(default=0)
    """Turns in which the bot answered a question."""
    fallbacks: Mapped[int] = mapped_column(default=0)
    handoffs: Mapped[int] = mapped_column(default=0)
    offers: Mapped[int] = mapped_column(default=0)
    """How often the bot offered a person."""
    intent: Mapped[str | None] = mapped_column(default=None)
    """The intent of the first customer message."""
    reason: Mapped[Reason | None] = mapped_column(default=None)
    """The reason of the first handoff."""
    first_customer_at: Mapped[datetime | None] = mapped_column(default=None)
    last_customer_at: Mapped[datetime | None] = mapped_column(default=None)
    first_reply_at: Mapped[datetime | None] = mapped_column(default=None)
    handoff_at: Mapped[datetime | None] = mapped_column(default=None)
    first_agent_reply_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        Index("episodes_conversation", "conversation", "first_seq"),
        Index("episodes_started", "started_at"),
        Index("episodes_closed", "closed_at"),
        Index("episodes_handoff", "handoff_at", postgresql_where=sql("handoff_at IS NOT NULL")),
    )


class MessageRow(Table):
    """One thing said. `delivery` is empty for what the customer said."""

    __tablename__ = "messages"

    conversation: Mapped[ConversationId] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[MessageId]
    episode: Mapped[EpisodeId | None] = mapped_column(default=None)
    at: Mapped[datetime]
    author: Mapped[Author]
    author_name: Mapped[str] = mapped_column(default="")
    agent: Mapped[AgentId | None] = mapped_column(default=None)
    text: Mapped[str]
    button: Mapped[str | None] = mapped_column(default=None)
    buttons: Mapped[list[Any]] = mapped_column(default_factory=list)
    attachments: Mapped[list[Any]] = mapped_column(default_factory=list)
    triage: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), default=None)
    in_reply_to: Mapped[MessageId | None] = mapped_column(default=None)
    action: Mapped[str | None] = mapped_column(default=None)
    channel_message: Mapped[str | None] = mapped_column(default=None)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    delivery: Mapped[Delivery | None] = mapped_column(default=None)
    delivered_at: Mapped[datetime | None] = mapped_column(default=None)
    repeated: Mapped[int] = mapped_column(default=0)
    """How many tries besides what `delivery` says may have reached the customer."""
    trouble: Mapped[str | None] = mapped_column(default=None)
    """Why it failed or was dropped."""
    edited_text: Mapped[str | None] = mapped_column(default=None)
    """What the customer changed it to last; every step is in `events`."""
    edited_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        Index("messages_id", "conversation", "id"),
        Index("messages_channel", "conversation", "channel_message"),
        Index("messages_episode", "episode", "seq"),
        Index("messages_at", "at"),
        Index(
            "messages_undelivered",
            "delivery",
            "at",
            postgresql_where=sql("delivery IN ('sending', 'failed', 'dropped')"),
        ),
    )


class TicketRow(Table):
    """The desk's case for one handoff."""

    __tablename__ = "tickets"

    id: Mapped[TicketId] = mapped_column(primary_key=True)
    conversation: Mapped[ConversationId]
    episode: Mapped[EpisodeId | None] = mapped_column(default=None)
    channel: Mapped[str]
    seq: Mapped[int] = mapped_column(BigInteger)
    """The place of the handoff in the conversation."""
    handoff: Mapped[int] = mapped_column(default=1)
    """1 for the conversation's first handoff, 2 for its second, …"""
    state: Mapped[TicketState] = mapped_column(default=TicketState.WAITING)
    reason: Mapped[Reason]
    priority: Mapped[Priority]
    skill: Mapped[str] = mapped_column(default="general")
    scores: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    facts: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    details: Mapped[list[Any]] = mapped_column(default_factory=list)
    assignee: Mapped[AgentId | None] = mapped_column(default=None)
    assignee_name: Mapped[str] = mapped_column(default="")
    requested_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None] = mapped_column(default=None)
    first_agent_reply_at: Mapped[datetime | None] = mapped_column(default=None)
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    outcome: Mapped[Outcome | None] = mapped_column(default=None)
    comment: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        Index("tickets_queue", "state", "priority", "requested_at", "id"),
        Index("tickets_conversation", "conversation", "seq"),
        Index("tickets_requested", "requested_at", "id"),
        Index("tickets_closed", "closed_at"),
        Index("tickets_assignee", "assignee", "state"),
        Index("tickets_episode", "episode"),
    )


class NoteRow(Table):
    """An internal note."""

    __tablename__ = "notes"

    conversation: Mapped[ConversationId] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ticket: Mapped[TicketId | None] = mapped_column(default=None)
    at: Mapped[datetime]
    agent: Mapped[AgentId]
    agent_name: Mapped[str]
    text: Mapped[str]


DERIVED = (ConversationRow, EpisodeRow, MessageRow, TicketRow, NoteRow)
"""The tables that handoff.projection fills from `events`."""
