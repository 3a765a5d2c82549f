"""Who is at the desk and how fast tickets are handled; told to the workers, who tell waiting customers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from bot.conversation.ids import AgentId
from bot.conversation.keys import DESK
from bot.conversation.ownership import Agent
from handoff.database import Database
from handoff.moves import reachable
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


class Presence:
    """Remembers when agents were last seen, and tells the workers."""

    def __init__(self, redis: Any, database: Database, default_handle_s: float, now: Callable[[], datetime]) -> None:
        self._redis = redis
        self._database = database
        self._default_handle_s = default_handle_s
        self._now = now
        self._seen: dict[AgentId, datetime] = {}

    async def see(self, agent: Agent) -> None:
        """Take note that an agent is here; cheap enough for every click."""
        now = self._now()
        last = self._seen.get(agent.id)
        if last is not None and (now - last).total_seconds() < SEEN_EVERY_S:
            return
        self._seen[agent.id] = now
        statement = insert(PresenceRow).values(agent=agent.id, name=agent.name, seen_at=now)
        changed = {"name": agent.name, "seen_at": now}
        async with self._database.session() as session:
            await session.execute(statement.on_conflict_do_update(index_elements=[PresenceRow.agent], set_=changed))

    async def forget(self, agent: AgentId) -> None:
        """Take note that an agent has gone."""
        self._seen.pop(agent, None)
        async with self._database.session() as session:
            await session.execute(delete(PresenceRow).where(PresenceRow.agent == agent))

    async def online(self) -> list[Agent]:
        """Return the agents who are here, by name."""
        query = select(PresenceRow).where(PresenceRow.seen_at > self._now() - timedelta(seconds=ONLINE_S))
        async with self._database.session() as session:
            rows = await session.scalars(query.order_by(PresenceRow.name))
            return [Agent(row.agent, row.name) for row in rows]

    async def handling_s(self) -> float:
        """Return the mean time from claim to close of the tickets closed last."""
        spans = (
            select((TicketRow.closed_at - TicketRow.claimed_at).label("span"))
            .where(TicketRow.closed_at.is_not(None), TicketRow.claimed_at.is_not(None))
            .order_by(TicketRow.closed_at.desc())
            .limit(TICKETS)
            .subquery()
        )
        async with self._database.session() as session:
            mean = (await session.execute(select(func.avg(spans.c.span)))).scalar()
        return self._default_handle_s if mean is None else float(mean.total_seconds())

    async def publish(self) -> None:
        """Tell the workers how many agents are here and how long a ticket takes them."""
        told = {"agents_online": len(await self.online()), "handle_s": f"{await self.handling_s():.1f}"}
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(DESK, mapping=told)
                pipe.expire(DESK, PUBLISHED_S)
                await pipe.execute()
