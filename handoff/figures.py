"""Figures from PostgreSQL: reads the facts of a period's episodes and gives them to handoff.metrics."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.errors import BadInput
from bot.conversation.events import Author, Outcome, Reason
from bot.conversation.hours import Hours
from bot.conversation.ids import EpisodeId
from handoff.database import Database
from handoff.metrics import ALL, By, Context, Figure, Unit, reports
from handoff.outcomes import Facts, Said, Served
from handoff.tables import ConversationRow, EpisodeRow, EventRow, MessageRow, TicketRow

_SPAN = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
ANSWER_PREFIX = "utter_faq"


class FigureView(BaseModel):
    """A figure as the API and the command line give it; `unit` is `count`, `pct` or `s` (seconds)."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: int
    title: str
    unit: Unit
    group: str
    value: float | None = Field(description="None where there is nothing to count; the median for durations")
    count: int = Field(description="episodes counted; for durations how many were measured")
    of: int | None = Field(description="for shares: of how many")
    p90: float | None
    mean: float | None
    episodes: list[EpisodeId] | None = Field(description="the episodes behind the figure, if asked for")


@dataclass(frozen=True, slots=True)
class Period:
    """What is reported: episodes that began from `since` up to `until`."""

    since: datetime
    until: datetime


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that `7d`, `24h`, `30m`, `2w` before now, or an ISO date or time, means.

    Raises:
        BadInput: it is none of these.
    """
    span = _SPAN.fullmatch(text.strip())
    if span:
        return now - int(span[1]) * _UNITS[span[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInput(f"{text[:40]!r} is no time; write 7d, 24h, 30m, 2w or a date like 2026-11-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


class Figures:
    """Reports figures of this installation."""

    def __init__(self, database: Database, hours: Hours, idle_s: int) -> None:
        self._database = database
        self._hours = hours
        self._idle_s = idle_s

    async def report(self, period: Period, now: datetime, by: By | None = None) -> list[Figure]:
        """Return all figures of a period, for all episodes or by group."""
        return (await self.reports(period, now, [by]))[by]

    async def reports(self, period: Period, now: datetime, bys: Sequence[By | None]) -> dict[By | None, list[Figure]]:
        """Return what `report` does for several groupings, of one reading of the episodes."""
        async with self._database.session() as session:
            facts = await load_facts(session, period)
            later = await _later(session, period)
        return reports(facts, Context(now=now, idle_s=self._idle_s, hours=self._hours, later=later), bys)


async def load_facts(session: AsyncSession, period: Period) -> list[Facts]:
    """Return the facts of the episodes that began in a period, oldest first."""
    wanted = (EpisodeRow.started_at >= period.since) & (EpisodeRow.started_at < period.until)
    episodes = (
        await session.execute(
            select(
                EpisodeRow.id,
                EpisodeRow.conversation,
                ConversationRow.customer,
                EpisodeRow.channel,
                EpisodeRow.started_at,
                EpisodeRow.closed_at,
                EpisodeRow.closed_by,
            )
            .join(ConversationRow, ConversationRow.id == EpisodeRow.conversation)
            .where(wanted)
            .order_by(EpisodeRow.started_at, EpisodeRow.id)
        )
    ).all()
    said = await _said(session, wanted)
    handoffs = await _handoffs(session, wanted)
    offered = await _offered(session, wanted)
    return [
        Facts(
            id=row.id,
            conversation=row.conversation,
            customer=row.customer,
            channel=row.channel,
            started_at=row.started_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            said=said.get(row.id, ()),
            handoffs=handoffs.get(row.id, ()),
            offered=offered.get(row.id, ()),
        )
        for row in episodes
    ]


async def _said(session: AsyncSession, wanted: object) -> dict[EpisodeId, list[Said]]:
    query = (
        select(
            MessageRow.episode,
            MessageRow.at,
            MessageRow.author,
            MessageRow.triage["intent"].astext.label("intent"),
            MessageRow.action,
            MessageRow.attachments,
        )
        .join(EpisodeRow, EpisodeRow.id == MessageRow.episode)
        .where(wanted)  # type: ignore[arg-type]
        .order_by(MessageRow.conversation, MessageRow.seq)
    )
    found: dict[EpisodeId, list[Said]] = {}
    for episode, at, author, intent, action, attachments in await session.execute(query):
        answers = author is Author.BOT and (action or "").startswith(ANSWER_PREFIX)
        found.setdefault(episode, []).append(Said(at, author, intent, answers, bool(attachments)))
    return found


async def _handoffs(session: AsyncSession, wanted: object) -> dict[EpisodeId, list[Served]]:
    query = (
        select(
            TicketRow.episode,
            TicketRow.reason,
            TicketRow.requested_at,
            TicketRow.first_agent_reply_at,
            TicketRow.outcome,
        )
        .join(EpisodeRow, EpisodeRow.id == TicketRow.episode)
        .where(wanted)  # type: ignore[arg-type]
        .order_by(TicketRow.requested_at)
    )
    found: dict[EpisodeId, list[Served]] = {}
    for episode, reason, requested, replied, outcome in await session.execute(query):
        if episode is not None:
            found.setdefault(episode, []).append(Served(reason, requested, replied, outcome is Outcome.SPAM))
    return found


async def _offered(session: AsyncSession, wanted: object) -> dict[EpisodeId, list[Reason]]:
    query = (
        select(EventRow.episode, EventRow.data["reason"].astext)
        .join(EpisodeRow, EpisodeRow.id == EventRow.episode)
        .where(wanted, EventRow.type == "handoff_offered")  # type: ignore[arg-type]
        .order_by(EventRow.conversation, EventRow.seq)
    )
    found: dict[EpisodeId, list[Reason]] = {}
    for episode, reason in await session.execute(query):
        if episode is not None:
            found.setdefault(episode, []).append(Reason(reason))
    return found


async def _later(session: AsyncSession, period: Period) -> dict[str, list[datetime]]:
    query = (
        select(ConversationRow.customer, EpisodeRow.started_at)
        .join(ConversationRow, ConversationRow.id == EpisodeRow.conversation)
        .where(EpisodeRow.started_at >= period.since)
        .order_by(EpisodeRow.started_at)
    )
    found: dict[str, list[datetime]] = {}
    for customer, started in await session.execute(query):
        found.setdefault(customer, []).append(started)
    return found


def view(figure: Figure, episodes: bool) -> FigureView:
    """Return a figure as it is given out, with or without the episodes behind it."""
    definition = figure.definition
    return FigureView(
        id=definition.id,
        version=definition.version,
        title=definition.title,
        unit=definition.unit,
        group=figure.group,
        value=figure.value,
        count=figure.count,
        of=figure.of,
        p90=figure.p90,
        mean=figure.mean,
        episodes=list(figure.episodes) if episodes else None,
    )


def as_csv(figures: Sequence[FigureView]) -> str:
    """Return figures as CSV with a header; the episodes of a figure are joined by spaces."""
    out = io.StringIO()
    names = list(FigureView.model_fields)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for figure in figures:
        row = figure.model_dump(mode="json")
        row["episodes"] = " ".join(row["episodes"] or ())
        writer.writerow(["" if row[name] is None else row[name] for name in names])
    return out.getvalue()


def definitions_page() -> str:
    """Return docs/definitions.md; a test compares the file with it."""
    rows = "\n".join(f"| `{one.id}` | {one.version} | {one.title} | {one.unit.value} | {one.meaning} |" for one in ALL)
    return f"""# Definitions of the figures

Made from `handoff/metrics.py`; `tests/handoff/test_figures.py` keeps the two equal.

The grain is the **episode**: from a customer's first message after none, a close or an idle time, to the next
close or idle time. Every ended episode has exactly one outcome, so the six outcome shares sum to 100 %. An episode
that a person has, or that waits for one, ends by its close only; every other one also by idle time. Small talk is
a greeting, thanks, yes, no, goodbye or chit-chat. Durations are given as median, 90th percentile and mean; the idle
end of an episode is not a resolution. Times in opening hours follow the setting `hours`.

| id | version | figure | unit | meaning |
|---|---|---|---|---|
{rows}

`frontdesk metrics --episodes` lists the episodes behind each figure: for a share those that are counted (not those
it is a share of), for a duration those that were measured. The 24 h, 72 h and 7 day windows know a returning customer
by the channel's id of the customer, on any channel that uses the same id.
"""
