"""Outcomes and figures: every ended episode in exactly one outcome, every figure with its episodes."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.events import Author, Reason
from bot.conversation.ids import ConversationId, EpisodeId
from bot.settings import HoursSettings
from handoff.metrics import ALL, By, Context, Figure, report, reports
from handoff.outcomes import EpisodeOutcome, Facts, Said, Served, ended_at, outcome_of

T0 = datetime(2026, 11, 23, 10, tzinfo=UTC)
NOW = T0 + timedelta(days=30)
CUSTOMER, BOT, AGENT = Author.CUSTOMER, Author.BOT, Author.AGENT


def context(now: datetime = NOW, **more: object) -> Context:
    return Context(now=now, idle_s=86_400, hours=HoursSettings(), **more)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def facts(*said: Said, **more: object) -> Facts:
    fields = {
        "id": EpisodeId("e1"),
        "conversation": ConversationId("web:c1"),
        "customer": "c1",
        "channel": "web",
        "started_at": T0,
        "closed_at": None,
        "closed_by": None,
        "said": said,
        **more,
    }
    return Facts(**fields)


def asks(minutes: float, intent: str = "faq/delivery_time") -> Said:
    return Said(at(minutes), CUSTOMER, intent)


def answers(minutes: float) -> Said:
    return Said(at(minutes), BOT, answers=True)


def served(minutes: float | None, **more: object) -> Served:
    return Served(Reason.COMPLAINT, at(1), None if minutes is None else at(minutes), **more)


@pytest.mark.parametrize(
    ("episode", "expected"),
    [
        (facts(asks(0), answers(0.1)), EpisodeOutcome.SELF_SERVED_ASSUMED),
        (facts(asks(0), answers(0.1), asks(1, "thanks")), EpisodeOutcome.SELF_SERVED_VERIFIED),
        (facts(asks(0), answers(0.1), asks(1, "nlu_fallback")), EpisodeOutcome.ABANDONED),
        (facts(asks(0, "nlu_fallback"), Said(at(0.1), BOT)), EpisodeOutcome.ABANDONED),
        (facts(asks(0, "greet"), Said(at(0.1), BOT)), EpisodeOutcome.NOT_ENGAGED),
        (facts(asks(0, "chitchat/joke"), Said(at(0.1), BOT)), EpisodeOutcome.NOT_ENGAGED),
        (facts(Said(at(0), CUSTOMER, attachments=True)), EpisodeOutcome.ABANDONED),
        (facts(asks(0), handoffs=[served(None)], closed_at=at(9)), EpisodeOutcome.HANDOFF_UNSERVED),
        (facts(asks(0), Said(at(5), AGENT), handoffs=[served(5)], closed_at=at(9)), EpisodeOutcome.HUMAN_SERVED),
        (facts(asks(0), handoffs=[served(None, spam=True)], closed_at=at(9)), EpisodeOutcome.NOT_ENGAGED),
    ],
)
def test_outcomes(episode: Facts, expected: EpisodeOutcome) -> None:
    assert outcome_of(episode) is expected


def test_an_episode_that_waits_for_a_person_does_not_end_by_itself() -> None:
    waiting = facts(asks(0), handoffs=[served(None)])
    given_back = facts(asks(0), Said(at(5), BOT), handoffs=[served(None)])
    assert ended_at(waiting, 86_400, NOW) is None
    assert ended_at(given_back, 86_400, NOW) == T0 + timedelta(days=1)
    assert ended_at(given_back, 86_400, T0 + timedelta(hours=23)) is None


def figure(figures: list[Figure], id_: str, group: str = "all") -> Figure:
    (found,) = [one for one in figures if one.definition.id == id_ and one.group == group]
    return found


def test_resolution_leaves_out_what_waits_for_the_customer() -> None:
    episode = facts(
        asks(0),
        Said(at(10), AGENT),
        asks(60),
        Said(at(65), AGENT),
        handoffs=[served(10)],
        closed_at=at(90),
        closed_by="a",
    )
    figures = report([episode], context())
    assert figure(figures, "resolution").value == 15 * 60
    assert figure(figures, "first_response_any").value == 10 * 60
    assert figure(figures, "first_response_human").value == 9 * 60


def test_first_response_by_a_person_counts_opening_hours_apart() -> None:
    evening = T0.replace(hour=19, minute=50)
    morning = evening + timedelta(hours=12, minutes=20)
    handoff = Served(Reason.URGENT, evening, morning)
    figures = report([facts(asks(0), handoffs=[handoff])], context())
    assert figure(figures, "first_response_human").value == 12 * 3600 + 20 * 60
    assert figure(figures, "first_response_human_business").value == 20 * 60


def test_containment_within_a_window_looks_for_the_customer_on_every_channel() -> None:
    episode = facts(asks(0), answers(0.1), closed_at=at(5), closed_by="customer")
    back = {"c1": [T0, T0 + timedelta(hours=30)]}
    figures = report([episode], context(later=back))
    assert figure(figures, "containment_raw").value == 100
    assert figure(figures, "containment_24h").value == 100
    assert figure(figures, "containment_72h").value == 0
    soon = report([episode], context(now=at(60)))
    assert figure(soon, "containment_24h").value is None


def test_escalation_counts_by_reason() -> None:
    offered = facts(asks(0), handoffs=[served(None)], offered=[Reason.COMPLAINT, Reason.REPEATED_FALLBACK])
    figures = report([offered], context(), By.REASON)
    counts = {name: figure(figures, f"escalation_{name}", "complaint").count for name in ("requested", "offered")}
    assert counts == {"requested": 1, "offered": 2}
    assert figure(figures, "escalation_accepted", "complaint").count == 1
    assert figure(figures, "escalation_served", "complaint").count == 0


def test_no_episodes_give_figures_without_values() -> None:
    figures = report([], context())
    assert [one.definition for one in figures] == list(ALL)
    assert figure(figures, "containment_raw").value is None


@pytest.mark.parametrize("seed", range(20))
def test_outcomes_sum_to_all_ended_episodes_and_list_them(seed: int) -> None:
    chance = random.Random(seed)
    episodes = [_random_facts(chance, number) for number in range(60)]
    figures = report(episodes, context())
    outcomes = [one for one in figures if one.definition.id.startswith("outcome_")]
    listed = [episode for one in outcomes for episode in one.episodes]
    ended = figure(figures, "episodes").count - figure(figures, "episodes_open").count
    assert len(listed) == len(set(listed)) == ended
    assert sum(one.value or 0 for one in outcomes) == pytest.approx(100, abs=0.1)
    for one in figures:
        assert set(one.episodes) <= {episode.id for episode in episodes}
    by_channel = report(episodes, context(), By.CHANNEL)
    assert sum(one.count for one in by_channel if one.definition.id == "episodes") == len(episodes)


def _random_facts(chance: random.Random, number: int) -> Facts:
    said = []
    minutes = 0.0
    for _ in range(chance.randrange(1, 8)):
        minutes += chance.random() * 30
        author = chance.choice([CUSTOMER, CUSTOMER, BOT, AGENT])
        intent = chance.choice(["greet", "thanks", "faq/refund_when", "nlu_fallback"]) if author is CUSTOMER else None
        said.append(Said(at(minutes), author, intent, answers=author is BOT and chance.random() < 0.7))
    handoffs = [served(chance.choice([None, 3]))] if chance.random() < 0.4 else []
    closed = at(minutes + 5) if chance.random() < 0.6 else None
    return facts(
        *said,
        id=EpisodeId(f"e{number}"),
        channel=chance.choice(["web", "telegram"]),
        handoffs=handoffs,
        closed_at=closed,
        closed_by="anna" if closed else None,
    )


def test_several_groupings_at_once_are_what_each_is_alone() -> None:
    episodes = [
        facts(asks(0), answers(0.1), id=EpisodeId("e1")),
        facts(asks(0), Said(at(4), AGENT), id=EpisodeId("e2"), channel="telegram", handoffs=[served(4)]),
    ]
    bys = [None, *By]
    assert reports(episodes, context(), bys) == {by: report(episodes, context(), by) for by in bys}
