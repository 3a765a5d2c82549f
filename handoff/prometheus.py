"""What Prometheus scrapes: how the installation is doing right now, and counts that only grow.

Read afresh at each scrape, from Redis and PostgreSQL, so any web process gives the same answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import generate_latest
from sqlalchemy import func, select

from bot.conversation.keys import DESK, members
from bot.conversation.log import Log
from handoff.database import Database
from handoff.tables import ConversationRow, EpisodeRow, EventRow, MessageRow, TicketRow, TicketState

RECENT = timedelta(hours=1)
QUANTILES = (0.5, 0.95, 0.99)


class _Totals:
    """Counters whose values come from the database."""

    def __init__(self) -> None:
        self._families: list[CounterMetricFamily] = []

    def add(self, name: str, help_: str, labels: tuple[str, ...], rows: Mapping[tuple[str, ...], float]) -> None:
        """Add a counter with a value for each combination of labels."""
        family = CounterMetricFamily(f"frontdesk_{name}", help_, labels=labels)
        for values, count in rows.items():
            family.add_metric(values, count)
        self._families.append(family)

    def collect(self) -> list[CounterMetricFamily]:
        """Return the counters, as a Prometheus registry asks for them."""
        return self._families


async def exposition(log: Log, database: Database, now: datetime) -> bytes:
    """Return all figures in Prometheus' text format (`CONTENT_TYPE_LATEST` of prometheus_client)."""
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, value: float) -> None:
        Gauge(f"frontdesk_{name}", help_, registry=registry).set(value)

    await _redis(log, gauge)
    totals = _Totals()
    await _postgres(database, registry, totals, gauge, now)
    registry.register(totals)
    return generate_latest(registry)


async def _redis(log: Log, gauge: Callable[[str, str, float], None]) -> None:
    async with log.redis.pipeline(transaction=False) as pipe:
        for keys in log.keys:
            pipe.xlen(keys.inbox).xlen(keys.outbox).hlen(keys.dead).zcard(keys.queue).xlen(keys.events)
        rows = await pipe.execute()
    names = (
        ("inbox_messages", "accepted messages whose turn has not been taken"),
        ("outbox_messages", "messages that wait for delivery"),
        ("dead_letters", "messages that could not be delivered"),
        ("queue_waiting", "conversations that wait for a person"),
        ("projection_lag_events", "events that PostgreSQL does not show yet"),
    )
    for place, (name, help_) in enumerate(names):
        gauge(name, help_, sum(rows[place :: len(names)]))
    for role in ("worker", "sender"):
        gauge(f"{role}s", f"{role} processes that are alive", await log.redis.zcard(members(role)))
    desk = await log.redis.hgetall(DESK)
    gauge("agents_online", "agents seen at the desk lately", float(desk.get("agents_online") or 0))


async def _postgres(
    database: Database,
    registry: CollectorRegistry,
    totals: _Totals,
    gauge: Callable[[str, str, float], None],
    now: datetime,
) -> None:
    async with database.session() as session:

        async def counts(*columns: Any) -> dict[tuple[str, ...], float]:
            query = select(*columns, func.count()).group_by(*columns)
            return {
                tuple(str(getattr(v, "value", v)) for v in values): n for *values, n in await session.execute(query)
            }

        open_tickets = await counts(TicketRow.state)
        oldest = await session.scalar(
            select(func.min(TicketRow.requested_at)).where(TicketRow.state == TicketState.WAITING)
        )
        totals.add(
            "handoffs",
            "moves from the bot to the queue",
            ("reason", "channel"),
            await counts(TicketRow.reason, TicketRow.channel),
        )
        totals.add("episodes", "episodes that began", ("channel",), await counts(EpisodeRow.channel))
        totals.add("conversations", "conversations", ("channel",), await counts(ConversationRow.channel))
        totals.add("messages", "messages by who said them", ("author",), await counts(MessageRow.author))
        repeated = await session.scalar(select(func.sum(MessageRow.repeated)))
        totals.add(
            "deliveries_repeated",
            "tries that may have reached a customer besides what is known",
            (),
            {(): repeated or 0},
        )
        quantiles = await session.execute(
            select(func.percentile_cont(list(QUANTILES)).within_group(EventRow.data["duration_ms"].as_float())).where(
                EventRow.type == "turn_taken", EventRow.at >= now - RECENT
            )
        )
        values = quantiles.scalar()
    tickets = Gauge("frontdesk_tickets", "tickets by state", ("state",), registry=registry)
    for state in TicketState:
        tickets.labels(state.value).set(open_tickets.get((state.value,), 0))
    gauge("queue_oldest_seconds", "how long the oldest ticket waits", (now - oldest).total_seconds() if oldest else 0)
    turns = Gauge(
        "frontdesk_turn_seconds", "duration of the bot's turns in the last hour", ("quantile",), registry=registry
    )
    for quantile, value in zip(QUANTILES, values or (), strict=False):
        if value is not None:
            turns.labels(str(quantile)).set(value / 1000)
