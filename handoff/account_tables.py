"""The tables of people, integrations and their access; only hashes of passwords and tokens are in them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.ids import AgentId
from handoff.history_tables import Role, Table


class UserRow(Table):
    """A person who signs in. `name` is in lower case; customers see `display_name`."""

    __tablename__ = "users"

    id: Mapped[AgentId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    role: Mapped[Role]
    password_hash: Mapped[str]
    must_change: Mapped[bool] = mapped_column(default=True)
    """True while the password is the one-time one."""
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime | None] = mapped_column(default=None)
    signed_in_at: Mapped[datetime | None] = mapped_column(default=None)


class SessionRow(Table):
    """A browser that is signed in, by the SHA-256 of its token."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[AgentId]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(default="")
    browser: Mapped[str] = mapped_column(default="")

    __table_args__ = (Index("sessions_user", "user"), Index("sessions_expires", "expires_at"))


class ApiTokenRow(Table):
    """A token of an integration, by its SHA-256; `hint` is its beginning, to tell tokens apart."""

    __tablename__ = "api_tokens"

    id: Mapped[AgentId] = mapped_column(primary_key=True)
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    role: Mapped[Role]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class SignInAttemptRow(Table):
    """One try to sign in, counted for the lock-out; `outcome` is `failed`, `locked` or `ok`."""

    __tablename__ = "sign_in_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, init=False)
    at: Mapped[datetime]
    name: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str]

    __table_args__ = (Index("sign_in_attempts_name", "name", "at"), Index("sign_in_attempts_at", "at"))


class AuditRow(Table):
    """Who did what to accounts and access; never changed, never deleted by Frontdesk."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, init=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)

    __table_args__ = (Index("audit_at", "at"),)


class PresenceRow(Table):
    """When an agent was last seen at the desk or through the API."""

    __tablename__ = "presence"

    agent: Mapped[AgentId] = mapped_column(primary_key=True)
    name: Mapped[str]
    seen_at: Mapped[datetime]

    __table_args__ = (Index("presence_seen", "seen_at"),)
