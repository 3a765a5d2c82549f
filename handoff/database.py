"""PostgreSQL: connections with time limits, and the tables brought up to date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from bot.conversation.errors import BadInput, ConfigError, Unavailable

MIGRATION_TIMEOUT_S = 600.0
REFUSALS = {
    "password authentication failed": "PostgreSQL refuses the user or the password of database.url",
    "no password supplied": "PostgreSQL wants a password, and database.url has none",
    "does not exist": "the user or the database that database.url names does not exist",
    "no pg_hba.conf entry": "PostgreSQL does not let the user of database.url in from this machine (pg_hba.conf)",
}
"""What a server says that answers and will go on refusing: libpq gives no code for it, only these words."""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('frontdesk:migrate:' || current_schema(), 0))"


def engine_url(url: str, timeout_s: float) -> URL:
    """Return the address for SQLAlchemy: psycopg, times in UTC, and a limit on every statement.

    Raises:
        ConfigError: it is not the address of a PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("database.url is not an address like postgresql://user:password@host/name") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigError(f"database.url names {parsed.get_backend_name()}; Frontdesk needs postgresql://")
    given = parsed.query.get("options", "")
    options = [given] if isinstance(given, str) else list(given)
    options.append(f"-c timezone=UTC -c statement_timeout={int(timeout_s * 1000)}")
    return parsed.set(drivername="postgresql+psycopg").update_query_dict(
        {"options": " ".join(options).strip(), "connect_timeout": str(max(2, int(timeout_s)))}
    )


def migrate(url: str, revision: str = "head") -> None:
    """Bring the tables up to a revision, the newest; processes that start together wait for each other.

    Raises:
        ConfigError: PostgreSQL answers, and refuses the address.
        Unavailable: PostgreSQL does not answer.
    """
    engine = create_engine(engine_url(url, MIGRATION_TIMEOUT_S))
    try:
        with engine.begin() as connection:
            connection.execute(text(_LOCK))
            command.upgrade(_alembic(connection), revision)
    except (OperationalError, InterfaceError) as error:
        refusal = next((told for words, told in REFUSALS.items() if words in str(error.orig)), None)
        raise (ConfigError(refusal) if refusal else Unavailable("PostgreSQL does not answer")) from error
    finally:
        engine.dispose()


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "handoff:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


class Database:
    """The desk's PostgreSQL; one for each process.

    Args:
        url: any PostgreSQL address; the tables must be there (see `migrate`).
        timeout_s: limit for a connection, for a place in the pool and for each statement.
    """

    def __init__(self, url: str, timeout_s: float = 10.0, pool_size: int = 8) -> None:
        self.timeout_s = timeout_s
        self.engine = create_async_engine(
            engine_url(url, timeout_s),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=timeout_s,
            pool_pre_ping=True,
        )

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed at the end, rolled back on an error.

        Raises:
            Unavailable: PostgreSQL does not answer, or not in time.
            BadInput: a value that PostgreSQL can't hold, such as a NUL character.
        """
        with_session = AsyncSession(self.engine, expire_on_commit=False)
        try:
            async with with_session as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise Unavailable("PostgreSQL does not answer") from error
        except DataError as error:
            raise BadInput("a value holds something that can't be stored, such as a NUL character") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the connection to PostgreSQL was lost") from error
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection of one's own, without a transaction; for locks that last."""
        async with self.engine.connect() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
