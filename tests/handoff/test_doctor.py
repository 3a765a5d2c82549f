"""The doctor finds what was lost, and is quiet when nothing was."""

from bot.conversation.log import Log
from handoff.database import Database
from handoff.desk import Desk
from handoff.doctor import examine
from tests.bot.test_worker import CONVERSATION
from tests.handoff.test_figures import database, told  # noqa: F401  fixtures


async def wrong(log: Log, database: Database) -> list[str]:  # noqa: F811
    return [finding.what for finding in await examine(log, database) if finding.wrong]


async def test_a_healthy_installation_has_no_findings(told: Desk, log: Log, database: Database) -> None:  # noqa: F811
    assert await wrong(log, database) == []


async def test_a_conversation_that_redis_lost_is_found(told: Desk, log: Log, database: Database) -> None:  # noqa: F811
    await log.redis.delete(log.keys_of(CONVERSATION).conversation(CONVERSATION))
    assert await wrong(log, database) == [f"1 conversations in PostgreSQL that Redis has lost: {CONVERSATION}"]


async def test_entries_that_were_laid_aside_are_found(told: Desk, log: Log, database: Database) -> None:  # noqa: F811
    await log.redis.xadd(log.keys[1].rejected, {"m": "nonsense"})
    assert await wrong(log, database) == ["1 entries of the inbox or outbox could not be read"]


async def test_events_that_never_arrived_are_found(told: Desk, log: Log, database: Database) -> None:  # noqa: F811
    await log.redis.hincrby(log.keys_of(CONVERSATION).conversation(CONVERSATION), "seq", 3)
    (finding,) = await wrong(log, database)
    assert finding.startswith("1 conversations whose last events PostgreSQL does not show")
