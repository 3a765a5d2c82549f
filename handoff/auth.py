"""Signing in: sessions of people, tokens of integrations, and the lock-out of guessers.

A failed sign-in says the same, and takes as long, whether the name is unknown, the password wrong or the account
locked. What is typed as a name is kept only as a hash: it might be a password.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.errors import BadInput, Forbidden, NotSignedIn
from bot.conversation.events import utc_now
from bot.conversation.ids import AgentId
from bot.settings import DeskSettings
from handoff.accounts import audit, caller_of, end_sessions
from handoff.credentials import TOKEN_PREFIX, Passwords, check_new_password, csrf_of, digest, new_token, same
from handoff.database import Database
from handoff.roles import Caller
from handoff.tables import ApiTokenRow, SessionRow, SignInAttemptRow, UserRow

COOKIE = "frontdesk_session"
"""The cookie of the session token: HttpOnly, SameSite=Lax, and Secure behind https."""
ATTEMPTS_KEPT = timedelta(days=1)
TOKEN_USED_EVERY = timedelta(minutes=1)
"""How exactly the last use of a token is known."""
TOKEN_TRUSTED = timedelta(seconds=1)
"""How long a token that was found good is not looked up again: a revoked one works that long at most."""
MAX_CLIENT_CHARS = 200
_FAILED, _LOCKED, _OK = "failed", "locked", "ok"
_REFUSED = "the name or the password is wrong, or the account is locked for now"
_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session; `token` goes into the cookie and is never stored."""

    token: str
    csrf: str
    caller: Caller
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in that was let through to the password check."""

    at: datetime
    ok: bool


def locked_until(attempts: Iterable[Attempt], lock_after: int, lock: timedelta) -> datetime | None:
    """Return until when an account is locked, from its attempts, oldest first.

    `lock_after` failures in a row lock it for the time `lock`; after that the count begins anew.
    """
    failures, until = 0, None
    for attempt in attempts:
        if attempt.ok or (until is not None and attempt.at >= until):
            failures, until = 0, None
        if not attempt.ok:
            failures += 1
            if failures >= lock_after:
                until = attempt.at + lock
    return until


class Auth:
    """Tells who asks.

    Args:
        database: where users, sessions and tokens are.
        settings: how long sessions live, when accounts are locked.
        now: the clock.
        passwords: shared with Accounts, if wanted.
    """

    def __init__(
        self,
        database: Database,
        settings: DeskSettings,
        now: Callable[[], datetime] = utc_now,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._passwords = passwords or Passwords()
        self._good_tokens: dict[str, tuple[datetime, Caller]] = {}

    async def sign_in(self, name: str, password: str, address: str = "", browser: str = "") -> SignedIn:
        """Begin a session.

        Raises:
            NotSignedIn: the name or the password is wrong, or the account is locked; it does not say which.
        """
        name = name.replace("\0", "").strip().lower()[:MAX_CLIENT_CHARS]
        attempt, locked, user = await self._admit(name, address[:MAX_CLIENT_CHARS])
        known_hash = user.password_hash if user and user.active and not locked else None
        if not await self._passwords.fits(known_hash, password) or user is None:
            async with self._database.session() as session:
                action = "sign_in_refused" if locked else "sign_in_failed"
                audit(session, self._now(), user.id if user else "", action, address=address[:MAX_CLIENT_CHARS])
            raise NotSignedIn(_REFUSED)
        new_hash = None
        if self._passwords.is_outdated(user.password_hash):
            new_hash = await self._passwords.hash(password)
        async with self._database.session() as session:
            row = await session.get_one(UserRow, user.id)
            row.signed_in_at = self._now()
            row.password_hash = new_hash or row.password_hash
            await _passed(session, attempt)
            await session.execute(delete(SessionRow).where(SessionRow.expires_at <= self._now()))
            audit(session, self._now(), row.id, "signed_in", address=address[:MAX_CLIENT_CHARS])
            return self._begin_session(session, row, address, browser)

    async def session(self, token: str) -> Caller:
        """Return who a session belongs to.

        Raises:
            NotSignedIn: there is no such session, or it is over.
        """
        async with self._database.session() as session:
            return caller_of(await self._session_user(session, token))

    async def change_password(self, token: str, old: str, new: str) -> SignedIn:
        """Set a new password; all sessions end and this one goes on under a new token.

        Raises:
            NotSignedIn: the session is over.
            BadInput: the old password is wrong, or the new one is not accepted.
        """
        async with self._database.session() as session:
            user = await self._session_user(session, token)
        attempt, locked, _ = await self._admit(user.name, "")
        if not await self._passwords.fits(None if locked else user.password_hash, old):
            raise BadInput("the old password is wrong")
        check_new_password(new, user.name)
        if same(old, new):
            raise BadInput("the new password is the old one")
        password_hash = await self._passwords.hash(new)
        async with self._database.session() as session:
            row = await self._session_user(session, token)
            held = await session.get_one(SessionRow, digest(token))
            address, browser = held.address, held.browser
            row.password_hash, row.must_change, row.password_changed_at = password_hash, False, self._now()
            await end_sessions(session, row.id)
            await _passed(session, attempt)
            audit(session, self._now(), row.id, "password_changed")
            return self._begin_session(session, row, address, browser)

    async def sign_out(self, token: str) -> None:
        """End a session; one that is over already is no error."""
        async with self._database.session() as session:
            row = await session.get(SessionRow, digest(token))
            if row is not None:
                audit(session, self._now(), row.user, "signed_out")
                await session.delete(row)

    async def sign_out_everywhere(self, user: AgentId) -> int:
        """End all sessions of a user; returns how many."""
        async with self._database.session() as session:
            count = await end_sessions(session, user)
            audit(session, self._now(), user, "signed_out_everywhere", sessions=str(count))
            return count

    def csrf(self, token: str) -> str:
        """Return the CSRF token that the forms of a session carry."""
        return csrf_of(token)

    def check_csrf(self, token: str, given: str) -> None:
        """Refuse a form that was not made for this session.

        Raises:
            Forbidden: so it is.
        """
        if not same(csrf_of(token), given):
            raise Forbidden("the form is out of date; reload the page")

    async def bearer(self, token: str) -> Caller:
        """Return the integration that a token belongs to; looked up once a second at most.

        Raises:
            NotSignedIn: there is no such token, or it was revoked.
        """
        if not token.startswith(TOKEN_PREFIX):
            raise NotSignedIn("the API token is not valid")
        now, token_hash = self._now(), digest(token)
        if token_hash in self._good_tokens:
            found_at, caller = self._good_tokens[token_hash]
            if now - found_at < TOKEN_TRUSTED:
                return caller
            del self._good_tokens[token_hash]
        async with self._database.session() as session:
            row = await session.scalar(select(ApiTokenRow).where(ApiTokenRow.token_hash == token_hash))
            if row is None or row.revoked_at is not None:
                raise NotSignedIn("the API token is not valid")
            if row.used_at is None or now - row.used_at >= TOKEN_USED_EVERY:
                row.used_at = now
            caller = Caller(row.id, row.name, row.name, row.role, "token")
        self._good_tokens[token_hash] = now, caller
        return caller

    async def _admit(self, name: str, address: str) -> tuple[int, bool, UserRow | None]:
        # Written down as failed before the password is looked at, one at a time for each name: guesses that come in
        # parallel are counted too.
        key = digest(name)
        lock = timedelta(minutes=self._settings.lock_minutes)
        async with self._database.session() as session:
            await session.execute(_LOCK_NAME, {"name": key})
            now = self._now()
            of_name = (
                select(SignInAttemptRow)
                .where(SignInAttemptRow.name == key, SignInAttemptRow.outcome != _LOCKED)
                .order_by(SignInAttemptRow.id)
            )
            attempts = [Attempt(row.at, row.outcome == _OK) for row in await session.scalars(of_name)]
            until = locked_until(attempts, self._settings.lock_after, lock)
            locked = until is not None and now < until
            attempt = SignInAttemptRow(at=now, name=key, address=address, outcome=_LOCKED if locked else _FAILED)
            session.add(attempt)
            await session.execute(delete(SignInAttemptRow).where(SignInAttemptRow.at < now - max(ATTEMPTS_KEPT, lock)))
            user = await session.scalar(select(UserRow).where(UserRow.name == name))
            await session.flush()
            return attempt.id, locked, user

    async def _session_user(self, session: AsyncSession, token: str) -> UserRow:
        query = (
            select(UserRow)
            .join(SessionRow, SessionRow.user == UserRow.id)
            .where(SessionRow.token_hash == digest(token), SessionRow.expires_at > self._now(), UserRow.active)
        )
        user = await session.scalar(query)
        if user is None:
            raise NotSignedIn("sign in first")
        return user

    def _begin_session(self, session: AsyncSession, user: UserRow, address: str, browser: str) -> SignedIn:
        token = new_token()
        now = self._now()
        expires_at = now + timedelta(hours=self._settings.session_hours)
        session.add(
            SessionRow(
                token_hash=digest(token),
                user=user.id,
                created_at=now,
                expires_at=expires_at,
                address=address[:MAX_CLIENT_CHARS],
                browser=browser[:MAX_CLIENT_CHARS],
            )
        )
        return SignedIn(token, csrf_of(token), caller_of(user), expires_at)


async def _passed(session: AsyncSession, attempt: int) -> None:
    await session.execute(update(SignInAttemptRow).where(SignInAttemptRow.id == attempt).values(outcome=_OK))
