"""The desk on the test's own Redis and PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from bot.conversation.log import Log
from bot.settings import DeskSettings, Settings
from handoff.accounts import Accounts
from handoff.auth import Auth
from handoff.credentials import Passwords
from handoff.database import Database
from handoff.desk import Desk


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, with all tables and no rows."""
    database = Database(database_url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def desk(log: Log, database: Database) -> Desk:
    """A desk with the default settings."""
    return Desk(log, database, Settings())


class Clock:
    """A clock that tests turn by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    """The time of day of this test."""
    return Clock()


@pytest.fixture
def passwords() -> Passwords:
    """Passwords that are hashed with little effort."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def accounts(database: Database, clock: Clock, passwords: Passwords) -> Accounts:
    """Users and tokens."""
    return Accounts(database, clock, passwords)


@pytest.fixture
def auth(database: Database, clock: Clock, passwords: Passwords) -> Auth:
    """Sign-in with the default settings."""
    return Auth(database, DeskSettings(), clock, passwords)
