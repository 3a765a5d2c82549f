"""The desk on the test's own Redis and PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from bot.conversation.log import Log
from bot.settings import Settings
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
