"""The overview: the figures of a period, and the episodes behind each of them."""

from collections.abc import Mapping
from datetime import timedelta

from fastapi import Request
from markupsafe import Markup
from nicegui import ui
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from bot.conversation.ids import ConversationId
from handoff.console import figures_view
from handoff.console.figures_view import grouped
from handoff.console.layout import Keyed, empty, html, sheet
from handoff.console.markup import join, tag
from handoff.console.plain import missing_page
from handoff.console.rows import channel_mark, place_of, reason_chip, who
from handoff.console.visit import BASE, Visit
from handoff.console.words import REASONS, channel, moment_of, plain, topic
from handoff.figures import Period, load_facts
from handoff.live import What
from handoff.metrics import ALL, By, Figure
from handoff.outcomes import Facts, ended_at, outcome_of
from handoff.roles import Right
from handoff.tables import ConversationRow

PERIODS = {
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
DEFAULT = "7d"
PAUSE_S = 20.0
"""Figures are counted anew this often at most while the page is open."""
MAX_LISTED = 500


class OverviewPage:
    """One browser tab on the overview."""

    def __init__(self, visit: Visit, period: str) -> None:
        self.visit = visit
        self.name = period
        self.linked = visit.may(Right.MEASURE)

    def build(self) -> None:
        """Make the page."""
        with sheet(self.visit, "overview", "Overview"):
            html(_heading(self.name), "header").classes("page-head")
            self._loading = html(tag("div", tag("div", class_="skeleton"), class_="card")).props("aria-label=Loading")
            self._empty = html().classes("card")
            with ui.element("div") as self._content:
                self._tiles = html().classes("tiles")
                with ui.element("div").classes("panels"):
                    with _panel("Outcomes of episodes", "small-panel"), ui.element("div").classes("ring"):
                        self._ring = ui.echart({}, renderer="svg").classes("chart desk-chart").style("height:170px")
                        self._ring.props('role=img aria-label="Outcomes as a ring; the table has the same numbers"')
                        self._key = html()
                    with _panel("Episodes each day, by outcome", "big-panel"):
                        self._days = ui.echart({}, renderer="svg").classes("chart desk-chart").style("height:216px")
                        self._days.props('role=img aria-label="Episodes each day by outcome"')
                    with _panel("Handoffs by reason", "small-panel"):
                        self._reasons = html()
                    with _panel("By channel", "big-panel"):
                        self._channels = html()
                    with _panel("", "full"):
                        self._all = html()
        self._content.set_visibility(False)
        self._empty.set_visibility(False)
        self.visit.every(self._follow)

    async def show(self) -> None:
        """Count everything again and show it."""
        now = self.visit.desk.now()
        figures, period = self.visit.console.figures, period_of(self.name, self.visit)
        found = await figures.reports(period, now, [None, By.REASON, By.CHANNEL, By.DAY])
        total = grouped(found[None])["all"]
        by_reason, by_channel, by_day = (grouped(found[by]) for by in (By.REASON, By.CHANNEL, By.DAY))
        asked = (self.name, self.linked)
        there = bool(total["episodes"].count)
        with self.visit.client:
            self._loading.set_visibility(False)
            self._content.set_visibility(there)
            self._empty.set_visibility(not there)
            self._empty.set_content(
                empty("chart", "Nothing to count yet", "Figures appear here as soon as customers have written.")
            )
            if not there:
                return
            self._tiles.set_content(figures_view.tiles(total, *asked))
            self._key.set_content(figures_view.outcome_key(total, *asked))
            requested = {group: ids["escalation_requested"] for group, ids in by_reason.items() if group != "none"}
            self._reasons.set_content(figures_view.reasons(requested, *asked))
            self._channels.set_content(figures_view.by_channel(by_channel, *asked))
            self._all.set_content(figures_view.all_figures(total, *asked))
            days = figures_view.days_of(period.since, now, self.visit.zone)
            for chart, options in (
                (self._ring, figures_view.outcome_chart(total)),
                (self._days, figures_view.day_chart(by_day, days)),
            ):
                if chart.options != options:
                    chart.options.clear()
                    chart.options.update(options)
                    chart.update()

    async def _follow(self) -> None:
        await self.visit.follow(self.show, frozenset({What.PROJECTED, What.RELOAD}), pause_s=PAUSE_S)


class EpisodesPage:
    """The episodes behind one figure."""

    def __init__(self, visit: Visit, asked: Mapping[str, str], period: str) -> None:
        self.visit = visit
        self.name = period
        self.figure = asked.get("figure", "")
        self.by = By(asked["by"]) if asked.get("by") in set(By) else None
        self.group = asked.get("group", "") if self.by else "all"

    def build(self) -> None:
        """Make the page."""
        definition = next(one for one in ALL if one.id == self.figure)
        with sheet(self.visit, "overview", definition.title):
            back = tag("a", "Overview", href=f"{BASE}/overview?period={self.name}")
            group = f", {self._group_words()}" if self.by else ""
            title = tag("h1", f"{definition.title}{group}, last {PERIODS[self.name][0]}")
            html(join([tag("p", back, class_="small"), title]), "header")
            html(tag("p", figures_view.meaning(definition), class_="muted"))
            self._value = html().style("margin:0.75rem 0")
            with ui.element("section").classes("card").props('aria-label="Episodes"'):
                self._loading = html(tag("div", class_="skeleton")).props("aria-label=Loading")
                self._rows = Keyed()
                self._rows.element.classes("rows").props("id=rows")
                self._empty = html(empty("chart", "No episode", "None is behind this figure in this period."))
        self._empty.set_visibility(False)
        self.visit.every(self._show_once)

    async def _show_once(self) -> None:
        await self.visit.attempt(self.show, Right.MEASURE)

    async def show(self) -> None:
        """Read the figure and its episodes."""
        visit, now = self.visit, self.visit.desk.now()
        period = period_of(self.name, visit)
        groups = grouped(await visit.console.figures.report(period, now, self.by))
        figure = groups.get(self.group, {}).get(self.figure)
        wanted = set(figure.episodes) if figure else set()
        async with visit.desk.database.session() as session:
            facts = [one for one in await load_facts(session, period) if one.id in wanted]
            names = await _names(session, {one.conversation for one in facts})
        newest = sorted(facts, key=lambda one: one.started_at, reverse=True)
        with visit.client:
            self._loading.set_visibility(False)
            self._empty.set_visibility(not newest)
            if figure:
                self._value.set_content(_value(figure, len(newest)))
            self._rows.show((one.id, self._row(one, names.get(one.conversation, ""))) for one in newest[:MAX_LISTED])

    def _row(self, facts: Facts, name: str) -> Markup:
        now, idle_s = self.visit.desk.now(), self.visit.console.settings.conversation.idle_s
        outcome = plain(outcome_of(facts)) if ended_at(facts, idle_s, now) else "Still open"
        chips = [reason_chip(one.reason) for one in facts.handoffs[:2]]
        return tag(
            "article",
            channel_mark(facts.channel),
            tag(
                "div",
                tag(
                    "div",
                    tag(
                        "a",
                        who(name, facts.customer, facts.channel),
                        href=place_of(facts.conversation),
                        class_="entry-link",
                    ),
                    *chips,
                    class_="entry-head",
                ),
                tag("p", f"{topic(facts.intent)}, {len(facts.said)} messages", class_="entry-text"),
            ),
            tag(
                "div",
                tag("span", outcome),
                tag("span", moment_of(facts.started_at, self.visit.zone)[:16], class_="small muted"),
                class_="entry-side",
            ),
            class_="entry plain-entry",
            data_key=facts.id,
        )

    def _group_words(self) -> str:
        match self.by:
            case By.REASON:
                return {str(reason): words for reason, words in REASONS.items()}.get(self.group, self.group)
            case By.CHANNEL:
                return channel(self.group)
            case By.INTENT:
                return topic(self.group)
            case _:
                return self.group


async def build(visit: Visit, request: Request) -> None:
    """Make the overview for a request."""
    OverviewPage(visit, _asked_period(request)).build()


async def build_episodes(visit: Visit, request: Request) -> Response | None:
    """Make the list of the episodes behind a figure."""
    if request.query_params.get("figure") not in {one.id for one in ALL}:
        return missing_page()
    EpisodesPage(visit, request.query_params, _asked_period(request)).build()
    return None


def period_of(name: str, visit: Visit) -> Period:
    """Return one of PERIODS, up to now."""
    now = visit.desk.now()
    return Period(now - PERIODS[name][1], now + timedelta(seconds=1))


async def _names(session: AsyncSession, conversations: set[ConversationId]) -> dict[ConversationId, str]:
    query = select(ConversationRow.id, ConversationRow.customer_name).where(ConversationRow.id.in_(conversations))
    return {row.id: row.customer_name for row in await session.execute(query)}


def _asked_period(request: Request) -> str:
    asked = request.query_params.get("period", DEFAULT)
    return asked if asked in PERIODS else DEFAULT


def _panel(title: str, kind: str) -> ui.element:
    panel = ui.element("section").classes(f"card panel {kind}")
    if title:
        with panel:
            html(tag("span", title), "h2")
    return panel


def _heading(period: str) -> Markup:
    tabs = [
        tag("a", words, href=f"?period={name}", class_="tab", aria_current="true" if name == period else None)
        for name, (words, _) in PERIODS.items()
    ]
    return join([tag("h1", "Overview"), tag("nav", *tabs, class_="tabs", aria_label="Period")])


def _value(figure: Figure, episodes: int) -> Markup:
    of = figures_view.made_of(figure)
    return tag(
        "p",
        tag("strong", figures_view.value_of(figure), style="font-size:1.4rem"),
        tag("span", f"  {of}" if of else "", class_="muted"),
        tag("span", f" · {episodes} episodes listed", class_="muted"),
    )
