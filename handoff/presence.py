"""Who is at the desk and how fast tickets are handled; told to the workers, who tell waiting customers."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.ids import AgentId
from bot.conversation.keys import DESK
from bot.conversation.ownership import Agent
from handoff.tables import PresenceRow, TicketRow

ONLINE_S = 120
"""How long an agent counts as online after the last sign of life."""
SEEN_EVERY_S = 20
"""How often a sign of life is written down."""
PUBLISH_EVERY_S = 10
PUBLISHED_S = 60
"""How long the workers believe what was published last."""
TICKETS = 50
"""How many of the tickets closed last make up the handling time."""


async def see(session: AsyncSession, agent: Agent, now: datetime) -> None:
    """Write down that an agent is here."""
    statement = insert(PresenceRow).values(agent=agent.id, name=agent.name, seen_at=now)
    changed = {"name": agent.name, "seen_at": now}
    await session.execute(statement.on_conflict_do_update(index_elements=[PresenceRow.agent], set_=changed))


async def leave(session: AsyncSession, agent: AgentId) -> None:
    """Write down that an agent has gone."""
    await session.execute(delete(PresenceRow).where(PresenceRow.agent == agent))


async def online(session: AsyncSession, now: datetime) -> list[Agent]:
    """Return the agents who are here, by name."""
    query = select(PresenceRow).where(PresenceRow.seen_at > now - timedelta(seconds=ONLINE_S))
    return [Agent(row.agent, row.name) for row in await session.scalars(query.order_by(PresenceRow.name))]


async def handling_s(session: AsyncSession, default_s: float) -> float:
    """Return the mean time from claim to close of the tickets closed last."""
    spans = (
        select((TicketRow.closed_at - TicketRow.claimed_at).label("span"))
        .where(TicketRow.closed_at.is_not(None), TicketRow.claimed_at.is_not(None))
        .order_by(TicketRow.closed_at.desc())
        .limit(TICKETS)
        .subquery()
    )
    mean = (await session.execute(select(func.avg(spans.c.span)))).scalar()
    return default_s if mean is None else float(mean.total_seconds())


async def publish(redis: Any, agents_online: int, handle_s: float) -> None:
    """Tell the workers."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(DESK, mapping={"agents_online": agents_online, "handle_s": f"{handle_s:.1f}"})
        pipe.expire(DESK, PUBLISHED_S)
        await pipe.execute()
