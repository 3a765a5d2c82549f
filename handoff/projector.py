"""The projector: carries events from Redis into PostgreSQL, each exactly once.

The place up to which a partition's stream was read is stored in the transaction that stores its events, so whatever
dies, the next pass begins where the last commit ended. One projector works at a time; the others wait for its lock.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bot.conversation.errors import Conflict, Unavailable
from bot.conversation.events import utc_now
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log
from handoff.database import Database
from handoff.history import Item, rebuild_conversations, record
from handoff.live import POLL_S, PROJECTED, Live
from handoff.recovery import LOG_ID, TRIMMED, note_divergence, reconcile, restore
from handoff.tables import OffsetRow
from handoff.tasks import raise_lost_cancellation

logger = logging.getLogger(__name__)

BATCH = 100
"""Entries of one partition in one transaction."""
KEEP = 200
"""Projected events of a conversation that stay in Redis, for the workers."""
GATHER_S = 0.2
"""How long news are gathered before they are projected: a transaction costs as much as several events."""
LOCK_RETRY_S = 1.0
LEAVING_S = 5.0
"""How long a projector that has ended may hold the lock: until PostgreSQL notices that its session is over."""
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended('frontdesk:projector:' || current_schema(), 0))")


class Projector:
    """Projects one conversation log into one database.

    The projections run on the connection that holds the lock: who loses the lock can't commit.
    """

    def __init__(self, log: Log, database: Database) -> None:
        self._log = log
        self._database = database
        self._live = Live(log.redis)
        self._offsets: dict[int, str] = {}
        self._log_id: str | None = None
        self._failures = 0

    async def run(self) -> None:
        """Project until cancelled; waits for its turn, and comes back after Redis or PostgreSQL was away."""
        live = asyncio.create_task(self._live.run())
        try:
            while True:
                try:
                    async with self._database.connection() as connection:
                        try:
                            await self._wait_for_lock(connection)
                            await self._begin(connection)
                            await self._follow(connection)
                        finally:
                            await connection.invalidate()  # gives the lock back, which the pool would keep
                except (RedisError, SQLAlchemyError, OSError, Unavailable) as error:
                    if self._failures == 0:
                        logger.warning("projector paused: %s", type(error).__name__, exc_info=error)
                    await asyncio.sleep(BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)])
                    self._failures += 1
        finally:
            live.cancel()
            await asyncio.gather(live, return_exceptions=True)

    async def catch_up(self) -> int:
        """Project all that is there, once, and return how many events that were; for commands and tests.

        Raises:
            Conflict: another process is the projector.
        """
        async with self._database.connection() as connection:
            try:
                await self._require_lock(connection)
                await self._begin(connection)
                total = 0
                while done := await self.step(connection):
                    total += done
                return total
            finally:
                await connection.invalidate()

    async def rebuild(self) -> None:
        """Make the derived tables anew from `events`, some conversations at a time.

        Raises:
            Conflict: a projector is running; stop Frontdesk first.
        """
        async with self._database.connection() as connection:
            try:
                await self._require_lock(connection)
                done: str | None = ""
                while done is not None:
                    async with AsyncSession(connection) as session, session.begin():
                        done = await rebuild_conversations(session, done)
            finally:
                await connection.invalidate()

    async def _wait_for_lock(self, connection: AsyncConnection) -> None:
        while True:
            if await _try_lock(connection):
                return
            await asyncio.sleep(LOCK_RETRY_S)

    async def _require_lock(self, connection: AsyncConnection) -> None:
        until = asyncio.get_running_loop().time() + LEAVING_S
        while not await _try_lock(connection):
            if asyncio.get_running_loop().time() > until:
                raise Conflict("the projector is running in another process; stop Frontdesk first")
            await asyncio.sleep(LEAVING_S / 50)

    async def _begin(self, connection: AsyncConnection) -> None:
        async with AsyncSession(connection) as session, session.begin():
            rows = (await session.scalars(select(OffsetRow))).all()
            self._offsets = {row.partition: row.entry for row in rows}
            doubts = await reconcile(session, self._log, self._offsets)
            self._offsets.update(dict.fromkeys(doubts, "0-0"))
            if doubts:
                await restore(session, self._log)
            self._log_id = await self._log.redis.get(LOG_ID)
        await self._trim_streams(self._offsets)

    async def _follow(self, connection: AsyncConnection) -> None:
        async with self._live.listen() as changes:
            while True:
                done = await self.step(connection)
                self._failures = 0
                raise_lost_cancellation()
                if done < BATCH:  # else there may be more
                    await changes.drain(POLL_S)
                    # The customer's reply goes out first, and events that come together are written together.
                    await asyncio.sleep(GATHER_S)

    async def step(self, connection: AsyncConnection) -> int:
        """Project one batch of every partition in one transaction; returns the number of entries."""
        batches = await self._read()
        if not batches:
            return 0
        offsets = {partition: entries[-1][0] for partition, entries in batches.items()}
        items = [_item(fields) for entries in batches.values() for _, fields in entries]
        async with AsyncSession(connection) as session, session.begin():
            recorded = await record(session, items)
            await _store_offsets(session, offsets, utc_now())
            if recorded.diverged:
                await note_divergence(session, "events were numbered twice", recorded.diverged)
                await restore(session, self._log, recorded.diverged)
        self._offsets.update(offsets)
        await self._after_commit(offsets, items)
        return len(items)

    async def _read(self) -> dict[int, list[tuple[str, dict[str, str]]]]:
        async with self._log.redis.pipeline(transaction=False) as pipe:
            pipe.get(LOG_ID)
            for partition, keys in enumerate(self._log.keys):
                pipe.xrange(keys.events, min=f"({self._offsets.get(partition, '0-0')}", count=BATCH)
            log_id, *answers = await pipe.execute()
        if log_id != self._log_id:
            raise Unavailable("Redis was emptied or replaced while the projector was reading it")
        return {partition: entries for partition, entries in enumerate(answers) if entries}

    async def _after_commit(self, offsets: dict[int, str], items: Sequence[Item]) -> None:
        await self._trim_streams(offsets)
        last = {item.conversation: item.seq for item in items}
        async with self._log.redis.pipeline(transaction=False) as pipe:
            for conversation, seq in last.items():
                if seq > KEEP:
                    key = self._log.keys_of(conversation).log(conversation)
                    pipe.xtrim(key, minid=f"{seq - KEEP + 1}-0", approximate=True)
                pipe.publish(PROJECTED, conversation)
            await pipe.execute()

    async def _trim_streams(self, offsets: dict[int, str]) -> None:
        async with self._log.redis.pipeline(transaction=False) as pipe:
            pipe.set(TRIMMED, 1)
            for partition, entry in offsets.items():
                if entry != "0-0":
                    pipe.xtrim(self._log.keys[partition].events, minid=_after(entry), approximate=False)
            await pipe.execute()


async def _try_lock(connection: AsyncConnection) -> bool:
    held = bool((await connection.execute(_TRY_LOCK)).scalar())
    await connection.commit()
    return held


async def _store_offsets(session: AsyncSession, offsets: dict[int, str], now: datetime) -> None:
    statement = insert(OffsetRow)
    changed = {"entry": statement.excluded.entry, "projected_at": statement.excluded.projected_at}
    await session.execute(
        statement.on_conflict_do_update(index_elements=[OffsetRow.partition], set_=changed),
        [{"partition": partition, "entry": entry, "projected_at": now} for partition, entry in offsets.items()],
    )


def _item(fields: dict[str, Any]) -> Item:
    return Item.parse(ConversationId(fields["c"]), int(fields["s"]), fields["e"])


def _after(entry: str) -> str:
    milliseconds, number = entry.split("-")
    return f"{milliseconds}-{int(number) + 1}"
