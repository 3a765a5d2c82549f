"""Connections and migrations."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, make_url, text

from bot.conversation.errors import BadInput, ConfigError, Unavailable
from bot.embedded.postgres import PostgresServer
from handoff.database import Database, engine_url, migrate
from handoff.tables import Table


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> str:
    """The address of a schema without tables."""
    engine = create_engine(postgres_server.url_of("postgres"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS empty CASCADE"))
        connection.execute(text("CREATE SCHEMA empty"))
    engine.dispose()
    return postgres_server.url_of("postgres") + "&options=-csearch_path%3Dempty"


def test_the_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    engine.dispose()


def test_the_customers_last_words_are_filled_in_for_conversations_from_before(empty_url: str) -> None:
    migrate(empty_url, "0001")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO conversations (id, channel, customer, customer_name, seq, owner, owner_name,"
                " owner_version, handoffs, messages, started_at, last_message_at, last_text)"
                " VALUES ('web:kim', 'web', 'kim', '', 3, 'queue', '', 1, 1, 3, now(), now(), 'You are next.')"
            )
        )
        said = [("customer", "hello"), ("customer", "a person please"), ("system", "You are next.")]
        for seq, (author, words) in enumerate(said, start=1):
            connection.execute(
                text(
                    "INSERT INTO messages (conversation, seq, id, at, author, author_name, text, buttons, attachments,"
                    " repeated) VALUES ('web:kim', :seq, 'm' || :seq, now(), :author, '', :words, '[]', '[]', false)"
                ),
                {"seq": seq, "author": author, "words": words},
            )
    migrate(empty_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT customer_text FROM conversations")) == "a person please"
    engine.dispose()


def test_a_message_that_was_marked_as_repeated_counts_as_one_repetition(empty_url: str) -> None:
    migrate(empty_url, "0002")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO messages (conversation, seq, id, at, author, author_name, text, buttons, attachments,"
                " repeated) SELECT 'telegram:1', seq, 'm' || seq, now(), 'bot', '', '', '[]', '[]', seq = 2"
                " FROM generate_series(1, 2) AS seq"
            )
        )
    migrate(empty_url)
    with engine.connect() as connection:
        assert list(connection.scalars(text("SELECT repeated FROM messages ORDER BY seq"))) == [0, 1]
    engine.dispose()


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, [empty_url] * 3))
    engine = create_engine(empty_url)
    assert set(Table.metadata.tables) < set(inspect(engine).get_table_names(schema="empty"))
    engine.dispose()


@pytest.mark.parametrize("url", ["not an address", "mysql://localhost/x"])
def test_an_address_that_is_no_postgresql_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"database\.url"):
        engine_url(url, 1.0)


def test_options_of_the_address_are_kept() -> None:
    options = engine_url("postgresql://h/db?options=-csearch_path%3Dmine", 2.0).query["options"]
    assert "search_path=mine" in options
    assert "statement_timeout=2000" in options


async def test_a_postgresql_that_is_away_is_unavailable() -> None:
    database = Database("postgresql://frontdesk@127.0.0.1:9/none", timeout_s=1.0)
    with pytest.raises(Unavailable):
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


def test_migrating_a_postgresql_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        migrate("postgresql://frontdesk@127.0.0.1:9/none")


@pytest.mark.parametrize(
    ("part", "wrong", "told"),
    [
        ("password", "wrong", "refuses the user or the password"),
        ("password", "", "wants a password"),
        ("username", "nobody-here", "refuses the user or the password"),
        ("database", "nothing-here", "does not exist"),
    ],
)
def test_an_address_that_postgresql_refuses_is_told_apart(
    postgres_server: PostgresServer, part: str, wrong: str, told: str
) -> None:
    url = make_url(postgres_server.url).set(**{part: wrong})
    with pytest.raises(ConfigError, match=told):
        migrate(url.render_as_string(hide_password=False))


async def test_a_slow_statement_is_ended(database_url: str) -> None:
    database = Database(database_url, timeout_s=0.2)
    with pytest.raises(Unavailable):
        async with database.session() as session:
            await session.execute(text("SELECT pg_sleep(5)"))
    await database.close()


async def test_text_that_postgresql_cannot_hold_is_bad_input(database: Database) -> None:
    with pytest.raises(BadInput):
        async with database.session() as session:
            await session.execute(text("SELECT :word"), {"word": "a\0b"})
