"""Events reach PostgreSQL exactly once, whatever is ended in the middle."""

import asyncio
import contextlib
import json
import random
from typing import Any

import pytest
from sqlalchemy import delete, func, inspect, select, text

from bot.conversation.errors import Conflict
from bot.conversation.events import MessageDelivered, load_event, utc_now
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.state import QUEUE, State
from handoff.database import Database
from handoff.projection import Projection
from handoff.projector import KEEP, Projector
from handoff.prometheus import exposition
from handoff.recovery import LOG_ID
from handoff.tables import (
    DERIVED,
    ConversationRow,
    Delivery,
    EpisodeRow,
    EventRow,
    InstallationRow,
    MessageRow,
    OffsetRow,
    Table,
    TicketRow,
)
from tests.conftest import eventually
from tests.handoff.histories import Histories
from tests.handoff.scenes import bot_says, customer_says, hand_over, project

CONVERSATIONS = ["web:kim", "telegram:4711", "telegram:12", "rest:lee"]


async def dump(database: Database, *tables: type[Table]) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of some tables, in order of their keys."""
    found = {}
    async with database.session() as session:
        for table in tables:
            columns = inspect(table).columns
            rows = (await session.execute(select(*columns).order_by(*inspect(table).primary_key))).mappings()
            found[table.__tablename__] = [dict(row) for row in rows]
    return found


async def logged(log: Log, conversation: str) -> list[tuple[int, str]]:
    key = log.keys_of(ConversationId(conversation)).log(ConversationId(conversation))
    return [(int(place.split("-")[0]), fields["e"]) for place, fields in await log.redis.xrange(key)]


@contextlib.asynccontextmanager
async def running(projector: Projector):
    task = asyncio.create_task(projector.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_journey_fills_the_tables(log, database) -> None:
    ticket = await hand_over(log, "telegram:4711")
    sent = await bot_says(log, "telegram:4711", "One moment.")
    await project(log, database)
    async with database.session() as session:
        conversation = await session.get_one(ConversationRow, "telegram:4711")
        assert (conversation.owner, conversation.ticket, conversation.customer_name) == (QUEUE, ticket, "Kim Lee")
        row = await session.get_one(TicketRow, ticket)
        assert (row.state, row.reason, row.scores) == ("waiting", "customer_request", {"ask": 0.9})
        episode = await session.get_one(EpisodeRow, conversation.episode)
        assert (episode.customer_messages, episode.bot_messages, episode.handoffs) == (1, 1, 1)
        message = await session.scalar(select(MessageRow).where(MessageRow.id == sent))
        assert message.delivery == Delivery.SENDING
        assert conversation.seq == await session.scalar(select(func.count()).select_from(EventRow))


async def test_a_mailbox_channel_counts_as_delivered_when_sent(log, database) -> None:
    await customer_says(log, "web:kim", "hello")
    sent = await bot_says(log, "web:kim", "Hi!")
    await project(log, database)
    async with database.session() as session:
        message = await session.scalar(select(MessageRow).where(MessageRow.id == sent))
        assert message.delivery == Delivery.DELIVERED
        assert message.delivered_at == message.at


@pytest.mark.parametrize("seed", range(4))
async def test_each_event_is_projected_once_when_the_projector_is_ended_again_and_again(log, database, seed) -> None:
    histories = Histories(log, seed, CONVERSATIONS)
    chance = random.Random(seed)
    written = 0
    for _ in range(12):
        for _ in range(25):
            await histories.step()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0, 0.05)):
                await project(log, database)
    await project(log, database)
    async with database.session() as session:
        for conversation in CONVERSATIONS:
            seq = (await log.load(ConversationId(conversation))).seq
            query = select(EventRow.seq).where(EventRow.conversation == conversation).order_by(EventRow.seq)
            assert list(await session.scalars(query)) == list(range(1, seq + 1))
            written += seq
        assert written > 100
        assert await session.get(InstallationRow, "diverged") is None
    assert await dump(database, *DERIVED) == await folded(database)


async def folded(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return what the derived tables must hold: the fold over all events, made in memory."""
    projection = Projection()
    async with database.session() as session:
        query = select(EventRow).order_by(EventRow.conversation, EventRow.seq)
        for row in await session.scalars(query):
            projection.apply(row.conversation, row.seq, load_event(json.dumps(row.data)))
    found = {}
    for table in DERIVED:
        names = [column.key for column in inspect(table).columns]
        keys = [column.key for column in inspect(table).primary_key]
        rows = [row for row in projection.new if isinstance(row, table)]
        dicts = [{name: getattr(row, name) for name in names} for row in rows]
        found[table.__tablename__] = sorted(dicts, key=lambda row, keys=keys: [row[key] for key in keys])
    return found


@pytest.mark.parametrize("seed", [11, 12])
async def test_rebuilt_tables_equal_the_projected_ones(log, database, seed) -> None:
    histories = Histories(log, seed, CONVERSATIONS)
    for _ in range(8):
        for _ in range(40):
            await histories.step()
        await project(log, database)
    before = await dump(database, *DERIVED)
    async with database.session() as session:
        await session.execute(delete(MessageRow).where(MessageRow.conversation == "web:kim"))
        await session.execute(delete(TicketRow))
        ghost = ConversationRow(
            id="web:ghost", channel="web", customer="ghost", started_at=utc_now(), last_message_at=utc_now()
        )
        session.add(ghost)
    await Projector(log, database).rebuild()
    assert await dump(database, *DERIVED) == before


async def test_projected_events_leave_the_stream_and_the_newest_stay_in_the_log(log, database) -> None:
    await customer_says(log, "web:kim", "hello")
    for number in range(KEEP + 250):
        await bot_says(log, "web:kim", f"{number}")
    await project(log, database)
    keys = log.keys_of(ConversationId("web:kim"))
    assert await log.redis.xlen(keys.events) == 0
    left = await logged(log, "web:kim")
    last = (await log.load(ConversationId("web:kim"))).seq
    assert left[-1][0] == last
    assert KEEP <= len(left) <= KEEP + 100  # Redis trims whole nodes of 100 entries
    assert await project(log, database) == 0


async def test_a_projector_that_is_just_ending_is_waited_for(log, database_url) -> None:
    one, two = Database(database_url), Database(database_url)
    try:
        await customer_says(log, "web:kim", "hello")
        async with running(Projector(log, one)):
            await eventually(lambda: count(one, EventRow), "the first event")
            command = asyncio.create_task(Projector(log, two).catch_up())
            await asyncio.sleep(0.3)
            assert not command.done()
        assert await command == 0
    finally:
        await one.close()
        await two.close()


async def test_one_projector_works_and_another_takes_over_when_it_dies(log, database_url) -> None:
    one, two = Database(database_url), Database(database_url)
    try:
        async with running(Projector(log, two)):
            first = Projector(log, one)
            async with running(first):
                await customer_says(log, "web:kim", "hello")
                await eventually(lambda: count(one, EventRow), "the first event")
                with pytest.raises(Conflict, match="running in another process"):
                    await project(log, one)
            await customer_says(log, "web:kim", "still there?")
            await eventually(lambda: counted(two, EventRow, 3), "the event after the take-over")
    finally:
        await one.close()
        await two.close()


async def count(database: Database, table: type[Table]) -> int:
    async with database.session() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def counted(database: Database, table: type[Table], expected: int) -> bool:
    return await count(database, table) == expected


async def test_a_lost_connection_to_postgresql_is_made_again(log, database, postgres_server) -> None:
    async with running(Projector(log, database)):
        await customer_says(log, "web:kim", "hello")
        await eventually(lambda: counted(database, EventRow, 2), "the first events")
        async with database.session() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await customer_says(log, "web:kim", "hello again")
        await eventually(lambda: counted(database, EventRow, 3), "the event after the loss")


async def test_an_event_of_a_later_version_is_kept_and_understood_after_the_upgrade(log, database) -> None:
    await customer_says(log, "web:kim", "hello")
    keys = log.keys_of(ConversationId("web:kim"))
    strange = '{"at":"2026-11-02T09:00:00Z","mood":"blue","type":"mood_noticed"}'
    await log.redis.hincrby(keys.conversation(ConversationId("web:kim")), "seq", 1)
    await log.redis.xadd(keys.events, {"c": "web:kim", "s": 3, "e": strange})
    await bot_says(log, "web:kim", "Hi!")
    await project(log, database)
    async with database.session() as session:
        rows = await session.execute(select(EventRow.seq, EventRow.applied).order_by(EventRow.seq))
        assert list(rows) == [(1, True), (2, True), (3, False), (4, True)]
        assert (await session.get_one(ConversationRow, "web:kim")).seq == 4
        known = await session.get_one(EventRow, ("web:kim", 3))
        known.data = {"type": "message_dropped", "at": "2026-11-02T09:00:00Z", "message": "m1", "why": "test"}
    await Projector(log, database).rebuild()
    async with database.session() as session:
        assert (await session.get_one(EventRow, ("web:kim", 3))).applied


@pytest.mark.parametrize(
    "raw", ["nonsense", "[]", '{"type":"x"}', '{"type":"x","at":"soon"}', '{"at":"2026-01-01T00:00:00"}']
)
async def test_what_is_no_event_is_kept_and_stops_nothing(log, database, raw) -> None:
    keys = log.keys_of(ConversationId("web:kim"))
    await log.redis.xadd(keys.events, {"c": "web:kim", "s": 1, "e": raw})
    await log.redis.hset(keys.conversation(ConversationId("web:kim")), "seq", 1)
    await customer_says(log, "web:kim", "hello")
    await project(log, database)
    async with database.session() as session:
        assert list(await session.scalars(select(EventRow.applied).order_by(EventRow.seq))) == [False, True, True]
        assert (await session.get_one(ConversationRow, "web:kim")).last_text == "hello"


async def test_the_queue_quotes_the_last_thing_that_was_said_in_words(log, database) -> None:
    for said, quoted in (("/restart", "/restart"), ("it broke", "it broke"), ("/start", "it broke"), ("hey", "hey")):
        await customer_says(log, "web:kim", said)
        await project(log, database)
        async with database.session() as session:
            row = await session.get_one(ConversationRow, "web:kim")
            assert (row.customer_text, row.last_text) == (quoted, said)


async def test_an_emptied_redis_gets_its_conversations_back_and_it_is_said(log, database, caplog) -> None:
    ticket = await hand_over(log, "telegram:4711")
    await customer_says(log, "web:kim", "hello")
    await project(log, database)
    before = await log.load(ConversationId("telegram:4711"))
    await log.redis.flushdb()

    await project(log, database)

    after = await log.load(ConversationId("telegram:4711"))
    assert (after.seq, after.state.owner, after.state.ticket) == (before.seq, QUEUE, ticket)
    assert after.state.model_dump() == State.model_validate(before.state).model_dump()
    assert "Redis is empty" in caplog.text
    async with database.session() as session:
        assert "Redis is empty" in (await session.get_one(InstallationRow, "diverged")).value
    await customer_says(log, "telegram:4711", "anybody?")
    await project(log, database)
    assert await counted(database, EventRow, before.seq + 2 + 1)


async def test_a_redis_that_is_emptied_under_a_running_projector_gets_its_conversations_back(log, database) -> None:
    async with running(Projector(log, database)):
        ticket = await hand_over(log, "telegram:4711")
        before = await log.load(ConversationId("telegram:4711"))
        await eventually(lambda: counted(database, EventRow, before.seq), "the first events")
        await log.redis.flushdb()

        async def back() -> bool:
            return (await log.load(ConversationId("telegram:4711"))).state.ticket == ticket

        await eventually(back, "the conversation in Redis")
        await customer_says(log, "telegram:4711", "anybody?")
        await eventually(lambda: counted(database, EventRow, before.seq + 1), "the next event")


async def test_events_written_before_the_loss_was_seen_are_kept_under_new_numbers(log, database, caplog) -> None:
    await hand_over(log, "telegram:4711")
    await project(log, database)
    last = (await log.load(ConversationId("telegram:4711"))).seq
    log_id = await log.redis.get(LOG_ID)
    await log.redis.flushdb()
    await log.redis.set(LOG_ID, log_id)
    await customer_says(log, "telegram:4711", "Is anybody there?")

    await project(log, database)

    async with database.session() as session:
        texts = await session.scalars(select(MessageRow.text).order_by(MessageRow.seq))
        assert list(texts) == ["Can I talk to someone?", "Is anybody there?"]
        conversation = await session.get_one(ConversationRow, "telegram:4711")
        assert (conversation.seq, conversation.owner) == (last + 2, QUEUE)
    snapshot = await log.load(ConversationId("telegram:4711"))
    assert (snapshot.seq, snapshot.state.owner) == (last + 2, QUEUE)
    assert "numbered twice" in caplog.text


async def test_an_older_redis_is_noticed(log, database, caplog) -> None:
    await customer_says(log, "web:kim", "hello")
    await project(log, database)
    async with database.session() as session:
        for row in await session.scalars(select(OffsetRow)):
            milliseconds, _ = row.entry.split("-")
            row.entry = f"{int(milliseconds) + 60_000}-0"
    await bot_says(log, "web:kim", "Hi!")
    await project(log, database)
    assert "Redis is older than PostgreSQL" in caplog.text
    assert await counted(database, EventRow, 3)


async def test_a_late_delivery_is_told_under_its_message(log, database) -> None:
    await customer_says(log, "telegram:12", "hello")
    sent = await bot_says(log, "telegram:12", "Hi!")
    await project(log, database)
    snapshot = await log.load(ConversationId("telegram:12"))
    await log.append(snapshot, [MessageDelivered(at=utc_now(), message=MessageId(sent), repeated=2)])
    await project(log, database)
    async with database.session() as session:
        message = await session.scalar(select(MessageRow).where(MessageRow.id == sent))
        assert (message.delivery, message.repeated) == (Delivery.DELIVERED, 2)
    assert b"frontdesk_deliveries_repeated_total 2.0" in await exposition(log, database, utc_now())
