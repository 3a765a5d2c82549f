"""What to do when Redis has lost something that PostgreSQL knows: say so, and give the conversations back to it.

With the append-only file on this does not happen; it does when a disk is lost, when an older copy is put back, or when
an operator's Redis keeps its file lazily. PostgreSQL then holds the truth: each conversation that is further there gets
its number, owner and ticket back in Redis, so that no number is used twice and the bot does not talk over a person.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.events import utc_now
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log, queue_score
from bot.conversation.state import QUEUE, State
from handoff.tables import ConversationRow, EpisodeRow, InstallationRow, TicketRow

logger = logging.getLogger(__name__)

LOG_ID = "fd:installation"
"""String: which conversation log this Redis holds; written by the projector, once."""
TRIMMED = "fd:trimmed"
"""String: events were taken out of this Redis because a PostgreSQL has them."""
AT_ONCE = 500

RESTORE = """
-- Give a conversation its last known place back, if Redis knows less.
-- KEYS: 1 conversation, 2 queue, 3 due.  ARGV: 1 conversation, 2 seq, 3 state json, 4 queue score or ''.
if tonumber(redis.call('HGET', KEYS[1], 'seq') or '0') >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'seq', ARGV[2], 'state', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HDEL', KEYS[1], 'append')
redis.call('ZREM', KEYS[3], ARGV[1])
if ARGV[4] == '' then redis.call('ZREM', KEYS[2], ARGV[1])
else redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1]) end
return 1
"""


async def reconcile(session: AsyncSession, log: Log, offsets: Mapping[int, str]) -> list[int]:
    """Compare what PostgreSQL has read with what Redis holds; returns the partitions that must be read anew.

    A first start ties the two together: Redis and PostgreSQL then carry the same log id.
    """
    known = await session.get(InstallationRow, "log")
    if known is None:
        await log.redis.set(LOG_ID, secrets.token_hex(8), nx=True)
        if await log.redis.exists(TRIMMED):
            await note_divergence(session, "PostgreSQL is new, but Redis was projected before", ())
        session.add(InstallationRow(name="log", value=await log.redis.get(LOG_ID)))
        return []
    found = await log.redis.get(LOG_ID)
    if found != known.value:
        what = "Redis is empty" if found is None else "Redis holds the conversation log of another installation"
        await note_divergence(session, what, ())
        await log.redis.set(LOG_ID, known.value)
        return list(range(log.partitions))
    behind = [part for part, entry in offsets.items() if await _last_entry(log, part) < _number(entry)]
    if behind:
        await note_divergence(session, f"Redis is older than PostgreSQL (partitions {behind})", ())
    return behind


async def note_divergence(session: AsyncSession, what: str, conversations: Iterable[ConversationId]) -> None:
    """Log that Redis and PostgreSQL differ, and remember it for `frontdesk doctor`."""
    named = sorted(conversations)[:5]
    value = f"{utc_now():%Y-%m-%d %H:%M} UTC: {what}" + (f": {', '.join(named)}" if named else "")
    logger.error("Redis and PostgreSQL tell different histories: %s", value)
    statement = insert(InstallationRow).values(name="diverged", value=value)
    await session.execute(statement.on_conflict_do_update(index_elements=[InstallationRow.name], set_={"value": value}))


async def restore(session: AsyncSession, log: Log, only: Iterable[ConversationId] | None = None) -> int:
    """Give Redis back where conversations stand, as far as PostgreSQL knows more; returns how many.

    Buttons, the bot's own memory and since when the bot answers are not in PostgreSQL's rows and begin anew.
    """
    await session.flush()
    script = log.redis.register_script(RESTORE)
    restored, after = 0, ""
    while rows := await _page(session, after, only):
        for row, ticket, episode in rows:
            keys = log.keys_of(row.id)
            state = _state(row, ticket, episode)
            score = ""
            if state.owner == QUEUE and state.queued_at:
                score = str(queue_score(state.priority, state.queued_at.timestamp()))
            restored += await script(
                keys=[keys.conversation(row.id), keys.queue, keys.due],
                args=[row.id, row.seq, state.model_dump_json(exclude_defaults=True), score],
            )
        after = rows[-1][0].id
    if restored:
        logger.warning("gave %d conversations back to Redis", restored)
    return restored


async def _page(
    session: AsyncSession, after: str, only: Iterable[ConversationId] | None
) -> list[tuple[ConversationRow, TicketRow | None, EpisodeRow | None]]:
    query = (
        select(ConversationRow, TicketRow, EpisodeRow)
        .outerjoin(TicketRow, TicketRow.id == ConversationRow.ticket)
        .outerjoin(EpisodeRow, EpisodeRow.id == ConversationRow.episode)
        .where(ConversationRow.id > after)
        .order_by(ConversationRow.id)
        .limit(AT_ONCE)
    )
    if only is not None:
        query = query.where(ConversationRow.id.in_(list(only)))
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


def _state(row: ConversationRow, ticket: TicketRow | None, episode: EpisodeRow | None) -> State:
    return State(
        owner=row.owner,
        owner_version=row.owner_version,
        owner_name=row.owner_name,
        owner_since=(ticket.claimed_at or ticket.requested_at) if ticket else None,
        ticket=row.ticket,
        priority=ticket.priority if ticket else None,
        queued_at=ticket.requested_at if ticket else None,
        episode=row.episode,
        last_customer_at=episode.last_customer_at if episode else None,
        customer_name=row.customer_name,
        handoffs=row.handoffs,
    )


async def _last_entry(log: Log, partition: int) -> tuple[int, int]:
    key = log.keys[partition].events
    if not await log.redis.exists(key):
        return (0, 0)
    return _number((await log.redis.xinfo_stream(key))["last-generated-id"])


def _number(entry: str) -> tuple[int, int]:
    milliseconds, number = entry.split("-")
    return int(milliseconds), int(number)
