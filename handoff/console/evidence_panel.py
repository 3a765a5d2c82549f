"""What an agent needs to know before the first word: why it was handed over, and what was said already. Pure."""

from collections.abc import Collection
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from markupsafe import Markup

from bot.conversation.events import Reason
from bot.conversation.languages import name_of
from bot.conversation.state import BOT
from bot.conversation.triage import Severity, Urgency
from handoff.console.markup import NOTHING, join, tag
from handoff.console.rows import priority_mark, reason_chip
from handoff.console.transcript import bars, pairs
from handoff.console.words import (
    OUTCOMES,
    PRIORITIES,
    SEVERITIES,
    STATES,
    URGENCIES,
    WHY,
    clock,
    date,
    moment_of,
    plain,
    span,
    topic,
)
from handoff.views import ConversationView, Evidence, Mood, TicketView

Value = TypeVar("Value")

ORDER = ("what_happened", "order_number", "order", "remedy", "complaint", "severity", "sentiment", "confidence")
MOODS = 30
"""Messages in the chart, the newest."""


def above(conversation: ConversationView, zone: ZoneInfo) -> Markup:
    """Return what stands above the chart of the mood."""
    evidence = conversation.evidence
    if evidence is None:
        text = "The bot has this conversation, and nobody was asked for." if conversation.owner == BOT else ""
        return tag("section", tag("h2", "Not handed over"), tag("p", text, class_="muted"))
    ticket = conversation.tickets[0]
    return join([_why(evidence, ticket, zone), _facts(evidence), _scores(evidence), _topics(evidence)])


def below(conversation: ConversationView, zone: ZoneInfo, spoken: Collection[str]) -> Markup:
    """Return what stands below the chart of the mood; `spoken` languages go without saying."""
    evidence = conversation.evidence
    parts = [_found(evidence, spoken), _bot_said(evidence)] if evidence else []
    return join([*parts, _earlier(conversation, zone)])


def moods(conversation: ConversationView) -> list[Mood]:
    """Return the mood of the customer's messages, oldest first."""
    said = [one for one in conversation.transcript if one.triage is not None]
    return [Mood(at=one.at, message=one.id, value=one.triage.sentiment_value) for one in said if one.triage][-MOODS:]


def mood_chart(values: list[Mood], handed_over: int | None, zone: ZoneInfo) -> dict[str, Any]:
    """Return the chart of the mood; `handed_over` is how many messages came before the handoff."""
    points = [{"value": round(one.value, 2), "name": clock(one.at, zone)} for one in values]
    split = handed_over or 0
    mark = {
        "silent": True,
        "symbol": "none",
        "label": {"formatter": "handed over", "position": "end", "distance": 3, "fontSize": 10},
        "lineStyle": {"type": "dashed", "color": "#b7791f"},
        "data": [{"xAxis": split - 1}],
    }
    return {
        "animation": False,
        "grid": {"left": 30, "right": 10, "top": 18, "bottom": 20},
        "tooltip": {"trigger": "axis", "className": "chart-tip", "confine": True},
        "xAxis": {
            "type": "category",
            "data": [clock(one.at, zone) for one in values],
            "axisLine": {"lineStyle": {"color": "rgba(128,140,160,.45)"}},
            "axisTick": {"show": False},
            "axisLabel": {"fontSize": 10, "hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "min": -1,
            "max": 1,
            "interval": 1,
            "axisLabel": {"fontSize": 10},
            "splitLine": {"lineStyle": {"color": "rgba(128,140,160,.25)"}},
        },
        "visualMap": {
            "show": False,
            "dimension": 1,
            "pieces": [
                {"lt": -0.2, "color": "#d4573f"},
                {"gte": -0.2, "lte": 0.2, "color": "#8a94a3"},
                {"gt": 0.2, "color": "#2f9e6e"},
            ],
        },
        "series": [
            {
                "type": "line",
                "name": "Mood",
                "data": points,
                "symbolSize": 7,
                "showAllSymbol": True,
                "lineStyle": {"width": 2},
                **({"markLine": mark} if 0 < split < len(values) else {}),
            }
        ],
    }


def _why(evidence: Evidence, ticket: TicketView, zone: ZoneInfo) -> Markup:
    lines = [tag("li", line) for line in evidence.details]
    asked = ticket.requested_at
    waited = (ticket.claimed_at - asked).total_seconds() if ticket.claimed_at else None
    served = f", taken after {span(waited)}" if waited is not None else ""
    return tag(
        "section",
        tag("h2", "Why a person"),
        tag("div", priority_mark(ticket.priority), reason_chip(evidence.reason), class_="why"),
        tag("p", WHY[evidence.reason]),
        tag("ul", *lines, class_="lines") if lines and evidence.reason is not Reason.AGENT_TAKEOVER else None,
        tag(
            "p",
            f"Priority {PRIORITIES[ticket.priority]}. Asked at {clock(asked, zone)}{served}.",
            class_="muted small",
            title=moment_of(asked, zone),
        ),
    )


def _facts(evidence: Evidence) -> Markup:
    if not evidence.facts:
        return NOTHING
    rows = {plain(name): text for name, text in _in_order(evidence.facts).items()}
    return tag("section", tag("h2", "What the customer told"), tag("dl", *pairs(rows), class_="facts"))


def _scores(evidence: Evidence) -> Markup:
    if not evidence.scores:
        return NOTHING
    rows = [_score(name, value) for name, value in _in_order(evidence.scores).items()]
    return tag("section", tag("h2", "Scores at the handover"), tag("dl", *rows, class_="bars"))


def _in_order(values: dict[str, Value]) -> dict[str, Value]:
    """Return the named values with those that agents look for first in front."""
    return dict(sorted(values.items(), key=lambda one: ORDER.index(one[0]) if one[0] in ORDER else len(ORDER)))


def _score(name: str, value: float) -> Markup:
    if name != "sentiment":
        left, width, text, bad = 0.0, min(1.0, max(0.0, value)) * 100, f"{value:.2f}", False
    else:  # runs from -1 to 1, drawn from the middle
        width = min(1.0, abs(value)) * 50
        left, text, bad = (50 - width if value < 0 else 50), f"{value:+.2f}", value < 0
    fill = tag("span", class_="fill bad" if bad else "fill", style=f"width:{width:.0f}%;margin-left:{left:.0f}%")
    track = tag("span", fill, class_="track middle" if name == "sentiment" else "track")
    return join([tag("dt", plain(name)), tag("dd", track, tag("span", text, class_="value"))])


def _topics(evidence: Evidence) -> Markup:
    if not evidence.intents:
        return NOTHING
    return tag(
        "section", tag("h2", "Likely topics"), bars([(topic(one.name), one.confidence) for one in evidence.intents])
    )


def _found(evidence: Evidence, spoken: Collection[str]) -> Markup:
    chips = [tag("span", URGENCIES[Urgency(one)], class_="chip bad") for one in evidence.urgency if one in set(Urgency)]
    if evidence.severity is not Severity.NONE:
        chips.append(tag("span", SEVERITIES[evidence.severity], class_="chip warn"))
    chips += [tag("span", plain(one), class_="chip") for one in evidence.categories]
    chips += [tag("span", f"wants {plain(one).lower()}", class_="chip info") for one in evidence.remedies]
    chips += [tag("span", f"wrote {plain(one.lower()).lower()}", class_="chip") for one in evidence.personal_data]
    unspoken = [one for one in evidence.languages if one not in spoken]
    chips += [tag("span", f"wrote in {name_of(one)}", class_="chip") for one in unspoken]
    entities = {f"{plain(one.kind)}": "" for one in evidence.entities}
    for one in evidence.entities:
        name = plain(one.kind)
        entities[name] = ", ".join(part for part in (entities[name], one.value) if part)
    if not chips and not entities:
        return NOTHING
    return tag(
        "section",
        tag("h2", "Found in the messages"),
        tag("div", *chips, class_="chips") if chips else None,
        tag("dl", *pairs(entities), class_="facts") if entities else None,
    )


def _bot_said(evidence: Evidence) -> Markup:
    if not evidence.bot_said:
        return NOTHING
    said = tag("ol", *[tag("li", text) for text in evidence.bot_said], class_="bot-said")
    title = f"The bot already said ({len(evidence.bot_said)})"
    return tag("section", tag("details", tag("summary", title), said, class_="fold", open=len(evidence.bot_said) <= 2))


def _earlier(conversation: ConversationView, zone: ZoneInfo) -> Markup:
    earlier = conversation.tickets[1:] if conversation.evidence else conversation.tickets
    if not earlier:
        return NOTHING
    rows = [
        tag(
            "li",
            tag("div", reason_chip(one.reason), class_="why"),
            tag(
                "p",
                f"{date(one.requested_at, zone)}: {_ended(one)}",
                class_="small muted",
            ),
            tag("p", one.comment, class_="small") if one.comment else None,
        )
        for one in earlier
    ]
    return tag("section", tag("h2", "Earlier handoffs"), tag("ul", *rows, class_="past"))


def _ended(ticket: TicketView) -> str:
    how = OUTCOMES[ticket.outcome] if ticket.outcome else STATES[ticket.state]
    return f"{how}, by {ticket.assignee_name}" if ticket.assignee_name else how
