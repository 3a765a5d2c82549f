"""How figures look: tiles with their definitions, bars, tables and charts. Pure: figures in, markup and charts out."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from bot.conversation.events import Reason
from handoff.console.markup import join, tag
from handoff.console.visit import BASE
from handoff.console.words import REASONS, channel, plain, sentence
from handoff.metrics import ALL, OPEN, OUTCOMES, By, Definition, Figure, Unit
from handoff.numbers import duration, number
from handoff.outcomes import EpisodeOutcome

TILES = (
    "episodes_engaged",
    "containment_raw",
    "containment_24h",
    "escalation_requested",
    "first_response_any",
    "first_response_human",
    "resolution",
    "reopen_rate",
)
_COLUMNS = (
    ("episodes", "Episodes"),
    ("episodes_engaged", "Engaged"),
    ("containment_raw", "Containment (raw)"),
    ("containment_24h", "Containment (24 h)"),
    ("escalation_requested", "Handoffs"),
    ("first_response_human", "First response by a person"),
    ("resolution", "Resolution"),
)
COLOURS = {
    EpisodeOutcome.SELF_SERVED_VERIFIED: "#23865b",
    EpisodeOutcome.SELF_SERVED_ASSUMED: "#83c9a3",
    EpisodeOutcome.HUMAN_SERVED: "#3c83c4",
    EpisodeOutcome.HANDOFF_UNSERVED: "#d2543c",
    EpisodeOutcome.ABANDONED: "#e2a03a",
    EpisodeOutcome.NOT_ENGAGED: "#9aa5b3",
}
_OPEN = "rgba(128,140,160,.35)"
_LINE = "rgba(128,140,160,.28)"


def place_of(figure: Figure, period: str, by: By | None = None) -> str:
    """Return the address of the list of episodes behind a figure."""
    asked = {"figure": figure.definition.id, "period": period}
    if by is not None:
        asked |= {"by": str(by), "group": figure.group}
    return f"{BASE}/overview/episodes?{urlencode(asked)}"


def value_of(figure: Figure) -> str:
    """Return a figure's value as it is read."""
    return number(figure.value, figure.definition.unit)


def made_of(figure: Figure) -> str:
    """Return in a few words what a value was made of."""
    match figure.definition.unit:
        case Unit.SHARE:
            return f"{figure.count} of {figure.of} episodes" if figure.of else "nothing to count yet"
        case Unit.DURATION if figure.count:
            return f"p90 {duration(figure.p90 or 0)}, mean {duration(figure.mean or 0)}, {figure.count} measured"
        case Unit.DURATION:
            return "nothing to measure yet"
    return ""


def meaning(definition: Definition) -> str:
    """Return a definition as a sentence, with its version."""
    return f"{sentence(definition.meaning)} ({definition.id}, version {definition.version})"


def tile(figure: Figure, period: str, linked: bool) -> Markup:
    """Return a figure with its definition on hover and focus; `linked` opens its episodes."""
    definition = figure.definition
    explained = f"means-{definition.id}"
    title = f"{definition.title}, median" if definition.unit is Unit.DURATION else definition.title
    value = tag("span", value_of(figure), class_="value", data_figure=definition.id)
    inner = [tag("h2", title), value, tag("p", made_of(figure), class_="of")]
    body = (
        tag("a", *inner, href=place_of(figure, period), aria_describedby=explained)
        if linked and figure.episodes
        else tag("div", *inner, tabindex=0, aria_describedby=explained)
    )
    means = tag("p", meaning(definition), class_="means", id=explained, role="tooltip")
    return tag("article", body, means, class_="card tile")


def reasons(figures: Mapping[str, Figure], period: str, linked: bool) -> Markup:
    """Return the handoffs by reason as bars; each opens its episodes."""
    most = max((one.count for one in figures.values()), default=0)
    rows = []
    for reason, figure in sorted(figures.items(), key=lambda one: -one[1].count):
        if figure.count == 0:
            continue
        name = REASONS[Reason(reason)] if reason in set(Reason) else plain(reason)
        fill = tag("span", class_="fill", style=f"width:{100 * figure.count / most:.0f}%")
        inner = [tag("span", name), tag("span", fill, class_="track"), tag("b", figure.count)]
        rows.append(
            tag("a", *inner, href=place_of(figure, period, By.REASON)) if linked else tag("div", *inner, class_="hbar")
        )
    return tag("div", *rows, class_="hbars") if rows else tag("p", "No handoff in this period.", class_="muted")


def outcome_key(figures: Mapping[str, Figure], period: str, linked: bool) -> Markup:
    """Return the legend of both charts: the share of each outcome, what is still open, the way to the episodes."""
    rows = []
    for id_, colour in [*((OUTCOMES[outcome].id, colour) for outcome, colour in COLOURS.items()), (OPEN.id, _OPEN)]:
        figure = figures[id_]
        title = figure.definition.title
        if linked and figure.episodes:
            title = tag("a", title, href=place_of(figure, period))
        mark = tag("span", class_="key", style=f"background:{colour}")
        rows.append(
            tag(
                "tr",
                tag("td", mark, title, title=sentence(figure.definition.meaning)),
                tag("td", figure.count, class_="num"),
                tag("td", "" if id_ == OPEN.id else value_of(figure), class_="num muted", data_figure=id_),
            )
        )
    return tag("table", tag("tbody", *rows), class_="table", aria_label="Outcomes")


def by_channel(groups: Mapping[str, Mapping[str, Figure]], period: str, linked: bool) -> Markup:
    """Return the figures of each channel."""
    heads = [tag("th", "Channel", scope="col"), *[tag("th", name, class_="num", scope="col") for _, name in _COLUMNS]]
    rows = []
    for name, figures in groups.items():
        cells = [
            tag("td", tag("a", value_of(one), href=place_of(one, period, By.CHANNEL)), class_="num")
            if linked and one.episodes
            else tag("td", value_of(one), class_="num")
            for one in (figures[id_] for id_, _ in _COLUMNS)
        ]
        rows.append(tag("tr", tag("td", channel(name)), *cells))
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="table"), class_="scroll-x"
    )


def all_figures(figures: Mapping[str, Figure], period: str, linked: bool) -> Markup:
    """Return every figure with its definition."""
    rows = [
        tag(
            "tr",
            tag("td", one.title),
            tag(
                "td",
                tag("a", value_of(figures[one.id]), href=place_of(figures[one.id], period))
                if linked and figures[one.id].episodes
                else value_of(figures[one.id]),
                class_="num",
            ),
            tag("td", made_of(figures[one.id]), class_="muted"),
            tag("td", meaning(one), class_="muted"),
        )
        for one in ALL
    ]
    heads = [tag("th", name, scope="col") for name in ("Figure", "Value", "Made of", "Definition")]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="table small")
    summary = tag("summary", tag("strong", "All figures and their definitions"))
    return tag("details", summary, tag("div", table, class_="scroll-x"), class_="fold")


def outcome_chart(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return the outcomes as a ring around the number of ended episodes."""
    data = [
        {"name": OUTCOMES[outcome].title, "value": figures[OUTCOMES[outcome].id].count, "itemStyle": {"color": colour}}
        for outcome, colour in COLOURS.items()
    ]
    return {
        "animation": False,
        "title": {
            "text": f"{sum(figures[one.id].count for one in OUTCOMES.values())} ended",
            "left": "center",
            "top": "middle",
            "textStyle": {"fontSize": 14},
        },
        "tooltip": {"className": "chart-tip", "confine": True, "formatter": "{b}: {c} ({d} %)"},
        "series": [
            {
                "type": "pie",
                "radius": ["58%", "88%"],
                "label": {"show": False},
                "itemStyle": {"borderWidth": 0},
                "padAngle": 1.5,
                "emptyCircleStyle": {"color": _LINE},
                "data": [one for one in data if one["value"]],
            }
        ],
    }


def day_chart(groups: Mapping[str, Mapping[str, Figure]], days: Sequence[str]) -> dict[str, Any]:
    """Return the episodes of each day by outcome, stacked; those still open are on top."""
    ids = {OUTCOMES[outcome].id: (OUTCOMES[outcome].title, colour) for outcome, colour in COLOURS.items()}
    ids[OPEN.id] = (OPEN.title, _OPEN)
    series = [
        {
            "type": "bar",
            "stack": "day",
            "name": title,
            "itemStyle": {"color": colour},
            "barMaxWidth": 34,
            "data": [groups[day][id_].count if day in groups else 0 for day in days],
        }
        for id_, (title, colour) in ids.items()
    ]
    return {
        "animation": False,
        "grid": {"left": 36, "right": 8, "top": 12, "bottom": 24},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "className": "chart-tip", "confine": True},
        "xAxis": {
            "type": "category",
            "data": [f"{date.fromisoformat(day):%-d %b}" for day in days],
            "axisLine": {"lineStyle": {"color": _LINE}},
            "axisTick": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {"type": "value", "minInterval": 1, "splitLine": {"lineStyle": {"color": _LINE}}},
        "series": series,
    }


def days_of(since: datetime, until: datetime, zone: ZoneInfo) -> list[str]:
    """Return the dates of a period, each once."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    return [(first + timedelta(days=count)).isoformat() for count in range((last - first).days + 1)]


def grouped(figures: Sequence[Figure]) -> dict[str, dict[str, Figure]]:
    """Return figures by group and id."""
    groups: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.group, {})[figure.definition.id] = figure
    return groups


def tiles(figures: Mapping[str, Figure], period: str, linked: bool) -> Markup:
    """Return the figures that matter most."""
    return join(tile(figures[id_], period, linked) for id_ in TILES)
