"""Does PostgreSQL tell the same history as the conversation log? Compares the two and says what differs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import func, select

from bot.conversation.ids import ConversationId
from bot.conversation.log import Log
from bot.conversation.outbox import Outbox
from bot.conversation.state import State
from handoff.database import Database
from handoff.tables import ConversationRow, EventRow, InstallationRow

AT_ONCE = 500
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `wrong` says whether somebody should act."""

    what: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class _Place:
    seq: int
    owner: str


async def examine(log: Log, database: Database) -> list[Finding]:
    """Compare the conversation log with PostgreSQL; while messages flow, some events may be on their way."""
    shown = await _shown(database)
    lag = 0
    for keys in log.keys:
        lag += int(await log.redis.xlen(keys.events))
    missing: list[str] = []
    behind: list[str] = []
    differ: list[str] = []
    count = 0
    async for conversation, place in _kept(log):
        count += 1
        row = shown.pop(conversation, None)
        if row is None:
            missing.append(conversation)
        elif row.seq != place.seq:
            behind.append(conversation)
        elif row.owner != place.owner:
            differ.append(conversation)
    findings = [
        Finding(f"{count} conversations in Redis, {lag} events on their way to PostgreSQL", wrong=False),
        _listed("conversations in Redis that PostgreSQL does not show", missing, excused=lag > 0),
        _listed("conversations whose last events PostgreSQL does not show", behind, excused=lag > 0),
        _listed("conversations whose owner differs", differ, excused=False),
        _listed("conversations in PostgreSQL that Redis has lost", list(shown), excused=False),
        _listed("conversations with a gap in their history", await _gaps(database), excused=False),
    ]
    async with database.session() as session:
        diverged = await session.get(InstallationRow, "diverged")
        unread = await session.scalar(select(func.count()).select_from(EventRow).where(~EventRow.applied)) or 0
    findings.append(Finding(f"{unread} events of a newer version that could not be shown", wrong=unread > 0))
    if diverged:
        findings.append(Finding(f"noted earlier: {diverged.value}", wrong=True))
    rejected = sum([await log.redis.xlen(keys.rejected) for keys in log.keys])
    findings.append(Finding(f"{rejected} entries of the inbox or outbox could not be read", wrong=rejected > 0))
    letters = await Outbox(log).dead()
    findings.append(Finding(f"{len(letters)} messages could not be delivered", wrong=bool(letters)))
    return findings


def _listed(what: str, conversations: list[str], excused: bool) -> Finding:
    named = f": {', '.join(sorted(conversations)[:EXAMPLES])}" if conversations else ""
    return Finding(f"{len(conversations)} {what}{named}", wrong=bool(conversations) and not excused)


async def _shown(database: Database) -> dict[ConversationId, _Place]:
    async with database.session() as session:
        rows = await session.execute(select(ConversationRow.id, ConversationRow.seq, ConversationRow.owner))
        return {conversation: _Place(seq, owner) for conversation, seq, owner in rows}


async def _kept(log: Log) -> AsyncIterator[tuple[ConversationId, _Place]]:
    for keys in log.keys:
        start = keys.conversation(ConversationId(""))
        pattern = start.replace("[", "\\[") + "*"
        async for key in log.redis.scan_iter(match=pattern, count=AT_ONCE):
            seq, state = await log.redis.hmget(key, "seq", "state")
            owner = State.model_validate_json(state).owner if state else State().owner
            yield ConversationId(key.removeprefix(start)), _Place(int(seq or 0), owner)


async def _gaps(database: Database) -> list[str]:
    async with database.session() as session:
        query = (
            select(EventRow.conversation).group_by(EventRow.conversation).having(func.max(EventRow.seq) != func.count())
        )
        return [str(conversation) for conversation in await session.scalars(query)]
