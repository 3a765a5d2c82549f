"""The figures: each with an id, a version, a written definition and the episodes behind it. Pure functions of facts."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.conversation.events import Reason
from bot.conversation.hours import Hours, business_seconds
from bot.conversation.ids import EpisodeId
from handoff.outcomes import DEFINITIONS, EpisodeOutcome, Facts, ended_at, outcome_of, waiting_for_customer

REOPEN = timedelta(days=7)


class By(StrEnum):
    """What figures can be grouped by."""

    CHANNEL = "channel"
    INTENT = "intent"
    REASON = "reason"
    DAY = "day"


class Unit(StrEnum):
    """What a figure's value counts; shares are in percent, durations in seconds."""

    COUNT = "count"
    SHARE = "pct"
    DURATION = "s"


@dataclass(frozen=True, slots=True)
class Definition:
    """The written definition of a figure. A change of meaning is a new version."""

    id: str
    title: str
    unit: Unit
    meaning: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure's value in a group, with what it was made of.

    `value` is None where there is nothing to count. For shares `count` of `of` episodes; for durations `value` is the
    median, `p90` and `mean` stand beside it and `count` is how many were measured.
    """

    definition: Definition
    group: str
    value: float | None
    count: int
    of: int | None = None
    p90: float | None = None
    mean: float | None = None
    episodes: tuple[EpisodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What figures are made with: the present time, the idle time of episodes, the opening hours."""

    now: datetime
    idle_s: int
    hours: Hours
    later: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    """When each customer began episodes, in order of time, also after the period that is reported."""


def _share(id_: str, title: str, meaning: str) -> Definition:
    return Definition(id_, title, Unit.SHARE, meaning)


EPISODES = Definition("episodes", "Episodes", Unit.COUNT, "episodes that began in the period")
OPEN = Definition("episodes_open", "Still open", Unit.COUNT, "episodes that have not ended; they have no outcome yet")
ENGAGED = Definition("episodes_engaged", "Engaged", Unit.COUNT, "ended episodes in which the customer wanted something")
OUTCOMES = {
    outcome: _share(f"outcome_{outcome}", outcome.value.replace("_", " ").capitalize(), f"{meaning}; ÷ ended episodes")
    for outcome, meaning in DEFINITIONS.items()
}
CONTAINMENT = _share(
    "containment_raw", "Containment (raw)", "engaged episodes without a handoff request ÷ engaged episodes"
)
WINDOWS = {
    timedelta(hours=24): _share(
        "containment_24h",
        "Containment (24 h)",
        "as raw, and the same customer does not come back on any channel within 24 hours of the episode's end; "
        "÷ engaged episodes whose 24 hours are over",
    ),
    timedelta(hours=72): _share("containment_72h", "Containment (72 h)", "as containment (24 h), within 72 hours"),
    timedelta(days=7): _share("containment_7d", "Containment (7 days)", "as containment (24 h), within 7 days"),
}
VERIFIED = _share(
    "containment_verified",
    "Verified containment",
    "engaged episodes that are self-served and verified ÷ engaged ones",
)
ESCALATION = {
    "requested": Definition(
        "escalation_requested", "Handoffs requested", Unit.COUNT, "moves from the bot to the queue"
    ),
    "offered": Definition("escalation_offered", "A person offered", Unit.COUNT, "times the bot offered a person"),
    "accepted": Definition(
        "escalation_accepted", "Offers accepted", Unit.COUNT, "offers after which a handoff followed in the episode"
    ),
    "served": Definition("escalation_served", "Handoffs served", Unit.COUNT, "handoffs to which an agent replied"),
}
FIRST_ANY = Definition(
    "first_response_any", "First response", Unit.DURATION, "first customer message → first reply of bot or agent"
)
FIRST_HUMAN = Definition(
    "first_response_human",
    "First response by a person",
    Unit.DURATION,
    "handoff request → first agent reply; a bot reply does not stop it; one measure for each handoff",
)
FIRST_HUMAN_BUSINESS = Definition(
    "first_response_human_business",
    "First response by a person, in opening hours",
    Unit.DURATION,
    "as first response by a person, counting opening hours only",
)
RESOLUTION = Definition(
    "resolution",
    "Resolution",
    Unit.DURATION,
    "first customer message → close of the episode, less the time spent waiting for the customer",
)
RESOLUTION_BUSINESS = Definition(
    "resolution_business", "Resolution, in opening hours", Unit.DURATION, "as resolution, counting opening hours only"
)
REOPENED = _share(
    "reopen_rate",
    "Reopened",
    "episodes closed by an agent after which the customer began another within 7 days ÷ episodes closed by an agent",
)

ALL: tuple[Definition, ...] = (
    EPISODES,
    OPEN,
    ENGAGED,
    *OUTCOMES.values(),
    CONTAINMENT,
    *WINDOWS.values(),
    VERIFIED,
    *ESCALATION.values(),
    FIRST_ANY,
    FIRST_HUMAN,
    FIRST_HUMAN_BUSINESS,
    RESOLUTION,
    RESOLUTION_BUSINESS,
    REOPENED,
)


def report(facts: Iterable[Facts], context: Context, by: By | None = None) -> list[Figure]:
    """Return every figure for all episodes, or for each group of them, groups in order of their names."""
    return reports(facts, context, [by])[by]


def reports(facts: Iterable[Facts], context: Context, bys: Sequence[By | None]) -> dict[By | None, list[Figure]]:
    """Return what `report` does for several groupings; each episode is measured once."""
    measured = [_measure(one, context) for one in facts]
    found: dict[By | None, list[Figure]] = {}
    for by in bys:
        groups: dict[str, list[_Measured]] = {} if measured or by else {"all": []}
        for one in measured:
            for group in _groups(one.facts, by, context):
                groups.setdefault(group, []).append(one)
        found[by] = [figure for group in sorted(groups) for figure in _figures(group, groups[group])]
    return found


def _groups(facts: Facts, by: By | None, context: Context) -> Sequence[str]:
    match by:
        case None:
            return ("all",)
        case By.CHANNEL:
            return (facts.channel,)
        case By.INTENT:
            return (facts.intent,)
        case By.DAY:
            return (facts.started_at.astimezone(ZoneInfo(context.hours.timezone)).date().isoformat(),)
        case By.REASON:
            # An episode that was handed over for two reasons stands in both groups.
            return tuple(dict.fromkeys(handoff.reason.value for handoff in facts.handoffs)) or ("none",)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the figures need of one episode; spans are in seconds, `_business` in opening hours.

    `back` says of each window that is over whether the customer came back within it.
    """

    facts: Facts
    ended: bool
    engaged: bool
    outcome: EpisodeOutcome | None
    back: Mapping[timedelta, bool]
    reopened: bool
    first_any: Sequence[float]
    first_human: Sequence[float]
    first_human_business: Sequence[float]
    resolution: Sequence[float]
    resolution_business: Sequence[float]

    @property
    def id(self) -> EpisodeId:
        """The episode."""
        return self.facts.id

    @property
    def contained(self) -> bool:
        """No person was asked for."""
        return not self.facts.handoffs


def _measure(facts: Facts, context: Context) -> _Measured:
    end = ended_at(facts, context.idle_s, context.now)

    def business(start: datetime, end: datetime) -> float:
        return business_seconds(context.hours, start, end)

    def back(window: timedelta) -> bool:
        last = (end or context.now) + window
        return any(facts.started_at < start <= last for start in context.later.get(facts.customer, ()))

    return _Measured(
        facts=facts,
        ended=end is not None,
        engaged=end is not None and facts.engaged,
        outcome=outcome_of(facts) if end else None,
        back={window: back(window) for window in WINDOWS if end and end + window <= context.now},
        reopened=back(REOPEN),
        first_any=_first_any(facts),
        first_human=_first_human(facts, _wall),
        first_human_business=_first_human(facts, business),
        resolution=_resolution(facts, _wall),
        resolution_business=_resolution(facts, business),
    )


def _figures(group: str, measured: Sequence[_Measured]) -> list[Figure]:
    ended = [one for one in measured if one.ended]
    engaged = [one for one in ended if one.engaged]

    def count(definition: Definition, members: Sequence[_Measured]) -> Figure:
        return Figure(definition, group, len(members), len(members), episodes=_ids(members))

    def share(definition: Definition, members: Sequence[_Measured], of: Sequence[_Measured]) -> Figure:
        value = round(100 * len(members) / len(of), 2) if of else None
        return Figure(definition, group, value, len(members), len(of), episodes=_ids(members))

    def duration(definition: Definition, spans_of: Callable[[_Measured], Sequence[float]]) -> Figure:
        values = sorted(seconds for one in measured for seconds in spans_of(one))
        if not values:
            return Figure(definition, group, None, 0)
        return Figure(
            definition,
            group,
            round(statistics.median(values), 3),
            len(values),
            p90=round(_quantile(values, 0.9), 3),
            mean=round(statistics.fmean(values), 3),
            episodes=_ids([one for one in measured if spans_of(one)]),
        )

    figures = [
        count(EPISODES, measured),
        count(OPEN, [one for one in measured if not one.ended]),
        count(ENGAGED, engaged),
    ]
    figures += [
        share(definition, [one for one in ended if one.outcome is outcome], ended)
        for outcome, definition in OUTCOMES.items()
    ]
    figures.append(share(CONTAINMENT, [one for one in engaged if one.contained], engaged))
    for window, definition in WINDOWS.items():
        over = [one for one in engaged if window in one.back]
        figures.append(share(definition, [one for one in over if one.contained and not one.back[window]], over))
    verified = [one for one in engaged if one.outcome is EpisodeOutcome.SELF_SERVED_VERIFIED]
    figures.append(share(VERIFIED, verified, engaged))
    figures += _escalation(group, [one.facts for one in measured])
    figures.append(duration(FIRST_ANY, lambda one: one.first_any))
    figures.append(duration(FIRST_HUMAN, lambda one: one.first_human))
    figures.append(duration(FIRST_HUMAN_BUSINESS, lambda one: one.first_human_business))
    figures.append(duration(RESOLUTION, lambda one: one.resolution))
    figures.append(duration(RESOLUTION_BUSINESS, lambda one: one.resolution_business))
    closed = [one for one in ended if one.facts.closed_by not in (None, "idle", "customer")]
    figures.append(share(REOPENED, [one for one in closed if one.reopened], closed))
    return figures


def _ids(members: Iterable[_Measured]) -> tuple[EpisodeId, ...]:
    return tuple(one.id for one in members)


def _escalation(group: str, facts: Sequence[Facts]) -> list[Figure]:
    counted: dict[str, list[EpisodeId]] = {name: [] for name in ESCALATION}
    for one in facts:
        counted["requested"] += [one.id] * len(one.handoffs)
        counted["offered"] += [one.id] * len(one.offered)
        reasons: list[Reason] = [handoff.reason for handoff in one.handoffs]
        counted["accepted"] += [one.id] * sum(reason in reasons for reason in set(one.offered))
        counted["served"] += [one.id] * sum(handoff.first_agent_reply_at is not None for handoff in one.handoffs)
    return [
        Figure(definition, group, len(counted[name]), len(counted[name]), episodes=tuple(dict.fromkeys(counted[name])))
        for name, definition in ESCALATION.items()
    ]


Clock = Callable[[datetime, datetime], float]


def _wall(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _first_any(facts: Facts) -> list[float]:
    asked = next((said.at for said in facts.said if said.author == "customer"), None)
    replied = next((said.at for said in facts.said if said.author in ("bot", "agent")), None)
    return [_wall(asked, replied)] if asked and replied else []


def _first_human(facts: Facts, clock: Clock) -> list[float]:
    return [
        clock(handoff.requested_at, handoff.first_agent_reply_at)
        for handoff in facts.handoffs
        if handoff.first_agent_reply_at
    ]


def _resolution(facts: Facts, clock: Clock) -> list[float]:
    asked = next((said.at for said in facts.said if said.author == "customer"), None)
    if not asked or not facts.closed_at or facts.closed_by == "idle":
        return []
    waiting = sum(clock(start, end) for start, end in waiting_for_customer(facts, facts.closed_at))
    return [max(0.0, clock(asked, facts.closed_at) - waiting)]


def _quantile(values: Sequence[float], q: float) -> float:
    """Return the `q` quantile of sorted values, linear between neighbours. Source: Hyndman and Fan (1996), type 7."""
    place = (len(values) - 1) * q
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
