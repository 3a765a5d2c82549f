"""Users and API tokens: made, changed and ended here, each with a row in the audit."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.errors import BadInput, Conflict, Forbidden, NotFound
from bot.conversation.events import utc_now
from bot.conversation.ids import AgentId, new_id
from bot.conversation.ownership import Agent
from handoff.credentials import TOKEN_PREFIX, Passwords, digest, new_token, one_time_password
from handoff.database import Database
from handoff.roles import RIGHTS, Caller, Right
from handoff.tables import ApiTokenRow, AuditRow, PresenceRow, Role, SessionRow, UserRow
from handoff.views import View

OPERATOR = "operator"
"""Who acts on the command line."""
ADMIN = "admin"
HINT_CHARS = 7
MAX_NAME_CHARS = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('frontdesk:accounts:' || current_schema(), 0))")


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user with the one-time password, which is shown now and never again."""

    id: AgentId
    name: str
    role: Role
    password: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """An API token, which is shown now and never again."""

    id: AgentId
    name: str
    role: Role
    token: str


class UserView(View):
    """A user, as administrators see it."""

    id: AgentId
    name: str
    display_name: str
    role: Role
    active: bool
    must_change: bool
    created_at: datetime
    signed_in_at: datetime | None


class TokenView(View):
    """An API token, as administrators see it."""

    id: AgentId
    name: str
    hint: str
    role: Role
    created_by: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class AuditView(View):
    """A row of the audit."""

    at: datetime
    actor: str
    action: str
    subject: str
    data: dict[str, str]


class Accounts:
    """Manages users and tokens. `actor` is who asks: a caller's id, or OPERATOR on the command line."""

    def __init__(
        self, database: Database, now: Callable[[], datetime] = utc_now, passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._now = now
        self._passwords = passwords or Passwords()

    async def add_user(self, name: str, role: Role, display_name: str = "", actor: str = OPERATOR) -> NewUser:
        """Add a user with a one-time password.

        Raises:
            BadInput: the name is not accepted.
            Conflict: the name is taken.
        """
        name = _checked_name(name)
        shown = display_name.strip()[:MAX_NAME_CHARS] or re.sub(r"[._+-]+", " ", name.split("@")[0]).title()
        password = one_time_password()
        password_hash = await self._passwords.hash(password)
        async with self._database.session() as session:
            await session.execute(_LOCK)
            if await session.scalar(select(UserRow.id).where(UserRow.name == name)):
                raise Conflict(f"there is a user {name} already")
            user = UserRow(
                id=AgentId(new_id("a")),
                name=name,
                display_name=shown,
                role=role,
                password_hash=password_hash,
                created_at=self._now(),
            )
            session.add(user)
            audit(session, self._now(), actor, "user_added", user.id, name=name, role=role)
        return NewUser(user.id, name, role, password)

    async def ensure_admin(self) -> NewUser | None:
        """Add the user `admin` if there is no user at all; None if there is one."""
        async with self._database.session() as session:
            if await session.scalar(select(func.count()).select_from(UserRow)):
                return None
        try:
            return await self.add_user(ADMIN, Role.ADMIN, "Administrator")
        except Conflict:  # another process was faster
            return None

    async def users(self) -> list[UserView]:
        """Return all users by name."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(UserRow).order_by(UserRow.name))).all()
        return [UserView.model_validate(row) for row in rows]

    async def find(self, user: str) -> Caller:
        """Return an active user by sign-in name or id.

        Raises:
            NotFound: there is none.
        """
        async with self._database.session() as session:
            row = await _user(session, user)
        if not row.active:
            raise NotFound(f"there is no active user {user}")
        return caller_of(row)

    async def servers(self) -> list[Agent]:
        """Return the active users who may serve customers, by the name that customers see."""
        serving = [role for role, rights in RIGHTS.items() if Right.SERVE in rights]
        query = select(UserRow).where(UserRow.active, UserRow.role.in_(serving)).order_by(UserRow.display_name)
        async with self._database.session() as session:
            return [caller_of(row).agent for row in await session.scalars(query)]

    async def server(self, user: str) -> Agent:
        """Return an active user who may serve customers, by sign-in name or id.

        Raises:
            NotFound: there is no such user.
            Forbidden: the role has no right to it.
        """
        found = await self.find(user)
        if Right.SERVE not in RIGHTS[found.role]:  # a user who has never signed in may be given work, too
            raise Forbidden(f"{found.name} has no right to {Right.SERVE}")
        return found.agent

    async def set_role(self, user: str, role: Role, actor: str = OPERATOR) -> None:
        """Change what a user may do, from the next request on.

        Raises:
            NotFound: there is no such user.
            Conflict: nobody would be left to administer.
        """
        async with self._database.session() as session:
            await session.execute(_LOCK)
            row = await _user(session, user)
            if row.role == Role.ADMIN and role != Role.ADMIN:
                await _require_other_admin(session, row)
            audit(session, self._now(), actor, "role_changed", row.id, before=row.role, after=role)
            row.role = role

    async def set_active(self, user: str, active: bool, actor: str = OPERATOR) -> None:
        """Let a user sign in, or end all sessions and refuse new ones.

        Raises:
            NotFound: there is no such user.
            Conflict: nobody would be left to administer.
        """
        async with self._database.session() as session:
            await session.execute(_LOCK)
            row = await _user(session, user)
            if not active:
                if row.role == Role.ADMIN:
                    await _require_other_admin(session, row)
                await end_sessions(session, row.id)
            row.active = active
            audit(session, self._now(), actor, "user_activated" if active else "user_deactivated", row.id)

    async def reset_password(self, user: str, actor: str = OPERATOR) -> NewUser:
        """Give a user a new one-time password and end all sessions.

        Raises:
            NotFound: there is no such user.
        """
        password = one_time_password()
        password_hash = await self._passwords.hash(password)
        async with self._database.session() as session:
            row = await _user(session, user)
            row.password_hash, row.must_change = password_hash, True
            await end_sessions(session, row.id)
            audit(session, self._now(), actor, "password_reset", row.id)
        return NewUser(row.id, row.name, row.role, password)

    async def create_token(self, name: str, role: Role, actor: str = OPERATOR) -> NewToken:
        """Make an API token; its name is what customers see when it replies.

        Raises:
            BadInput: the name is not accepted.
        """
        name = name.strip()
        if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise BadInput(f"a token's name has 1 to {MAX_NAME_CHARS} printable characters")
        token = new_token(TOKEN_PREFIX)
        row = ApiTokenRow(
            id=AgentId(new_id("k")),
            name=name,
            token_hash=digest(token),
            hint=token[:HINT_CHARS],
            role=role,
            created_by=actor,
            created_at=self._now(),
        )
        async with self._database.session() as session:
            session.add(row)
            audit(session, self._now(), actor, "token_created", row.id, name=name, role=role)
        return NewToken(row.id, name, role, token)

    async def tokens(self) -> list[TokenView]:
        """Return all tokens, the newest first."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(ApiTokenRow).order_by(ApiTokenRow.created_at.desc()))).all()
        return [TokenView.model_validate(row) for row in rows]

    async def revoke_token(self, token: AgentId, actor: str = OPERATOR) -> None:
        """End a token, by its id; from the next request on it is unknown.

        Raises:
            NotFound: there is no such token.
        """
        async with self._database.session() as session:
            row = await session.get(ApiTokenRow, token)
            if row is None:
                raise NotFound(f"there is no token {token}")
            if row.revoked_at is None:
                row.revoked_at = self._now()
                audit(session, self._now(), actor, "token_revoked", row.id, name=row.name)

    async def audit(self, limit: int = 200, before: datetime | None = None) -> list[AuditView]:
        """Return rows of the audit, the newest first."""
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if before:
            query = query.where(AuditRow.at < before)
        async with self._database.session() as session:
            rows: Sequence[AuditRow] = (await session.scalars(query)).all()
        return [AuditView.model_validate(row) for row in rows]


def audit(session: AsyncSession, at: datetime, actor: str, action: str, subject: str = "", **data: str) -> None:
    """Add a row to the audit, in the transaction of what it tells."""
    session.add(AuditRow(at=at, actor=actor, action=action, subject=subject, data={k: str(v) for k, v in data.items()}))


async def end_sessions(session: AsyncSession, user: AgentId) -> int:
    """Sign a user out everywhere; returns the number of sessions that were ended."""
    ended = await session.scalars(delete(SessionRow).where(SessionRow.user == user).returning(SessionRow.token_hash))
    count = len(ended.all())
    await session.execute(delete(PresenceRow).where(PresenceRow.agent == user))
    return count


def caller_of(user: UserRow) -> Caller:
    """Return a user as the one who asks."""
    return Caller(user.id, user.name, user.display_name, user.role, "user", user.must_change)


async def _user(session: AsyncSession, user: str) -> UserRow:
    row = await session.scalar(select(UserRow).where(or_(UserRow.name == user.lower(), UserRow.id == user)))
    if row is None:
        raise NotFound(f"there is no user {user}")
    return row


async def _require_other_admin(session: AsyncSession, user: UserRow) -> None:
    others = select(UserRow.id).where(UserRow.role == Role.ADMIN, UserRow.active, UserRow.id != user.id)
    if await session.scalar(others.limit(1)) is None:
        raise Conflict(f"{user.name} is the only administrator")


def _checked_name(name: str) -> str:
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise BadInput("a sign-in name has 2 to 64 letters, digits or . _ @ + - and begins with a letter or digit")
    return name
