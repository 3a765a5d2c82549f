"""What the shipped assistant reaches on the golden messages. Bars stand a little below what was measured."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import agreement, entities
from bot.conversation.errors import ConfigError
from bot.conversation.triage import Severity, Triage
from bot.learning.golden import read_golden
from bot.nlu.entities import EntityFinder
from bot.nlu.heads import COMPLAINT_THRESHOLD
from bot.nlu.intents import OUT_OF_SCOPE
from bot.nlu.skill import FALLBACK, Skill, load_skill
from tests.running import ROOT


@pytest.fixture(scope="module")
def skill(trained_model: Path) -> Skill:
    """The shipped assistant's triage."""
    return load_skill(trained_model)


@pytest.fixture(scope="module")
def judged(skill: Skill) -> list[tuple[dict[str, Any], Triage]]:
    """The golden messages of triage, each with what is said of it."""
    golden = read("triage")
    messages = [{**(golden.get("defaults") or {}), **message} for message in golden["messages"]]
    today = read("entities")["reference_date"]
    return list(zip(messages, skill.triage([message["text"] for message in messages], today), strict=True))


def test_entities_reach_95_percent() -> None:
    golden = read_golden(entities.GOLDEN)
    counts, misses = entities.judge(golden, EntityFinder(entities.PATTERNS))
    assert len(golden.entities) >= 300
    assert sum(counts.values(), entities.Count()).f1_pct >= entities.BAR_PCT, misses
    assert {kind: count.f1_pct for kind, count in counts.items() if count.f1_pct < 90} == {}


def test_an_entity_counts_only_with_its_span_and_value(tmp_path: Path) -> None:
    known = [
        {"kind": "amount", "text": "£5", "value": "GBP 5.00"},
        {"kind": "amount", "text": "£6", "value": "GBP 7.00"},
    ]
    known += [{"kind": "date", "text": "on 3 nov"}]
    messages = [{"text": "£5, £6 on 3 nov", "entities": known}]
    content = {"reference_date": date(2026, 11, 23), "messages": messages}
    (tmp_path / "entities.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    counts, (miss,) = entities.judge(read_golden(tmp_path), EntityFinder(entities.PATTERNS))
    assert counts == {"amount": entities.Count(2, 2, 1), "date": entities.Count(1, 1, 0)}
    assert miss.overlooked == ("amount: £6 = GBP 7.00", "date: on 3 nov = None")
    assert miss.wrong == ("amount: £6 = GBP 6.00", "date: 3 nov = 2026-11-03")


def test_questions_are_answered_rightly_or_not_at_all(skill: Skill) -> None:
    rows = [(text, message["intent"]) for message in read("intents")["messages"] for text in message["texts"]]
    said = [each.intent for each in skill.triage([text for text, _ in rows], read("entities")["reference_date"])]
    answered = [
        (name, intent) for name, (_, intent) in zip(said, rows, strict=True) if name not in (FALLBACK, OUT_OF_SCOPE)
    ]
    known = [pair for pair in answered if pair[1] != OUT_OF_SCOPE]
    in_scope = sum(intent != OUT_OF_SCOPE for _, intent in rows)
    assert share(name == intent for name, intent in known) >= 0.90
    assert len(known) / in_scope >= 0.78
    assert (len(answered) - len(known)) / (len(rows) - in_scope) <= 0.30


def test_complaints_are_told_from_the_rest(judged: list[tuple[dict[str, Any], Triage]]) -> None:
    assert (
        share((triage.complaint >= COMPLAINT_THRESHOLD) == message["complaint"] for message, triage in judged) >= 0.82
    )


def test_severity_and_sentiment_are_mostly_right(judged: list[tuple[dict[str, Any], Triage]]) -> None:
    assert share(triage.severity == message["severity"] for message, triage in judged) >= 0.76
    assert share(triage.sentiment == message["sentiment"] for message, triage in judged) >= 0.80


def test_two_annotators_agree_on_severity() -> None:
    pairs = [(first, second) for first, second, complaint in agreement.opinions() if complaint]
    assert agreement.kappa(pairs) >= 0.70
    assert agreement.kappa(pairs, quadratic=True) >= 0.80


@pytest.mark.parametrize("quadratic", [False, True])
def test_kappa_is_what_scikit_learn_makes_of_it(quadratic: bool) -> None:
    from sklearn.metrics import cohen_kappa_score

    pairs = [(first, second) for first, second, _ in agreement.opinions()]
    steps = [[list(Severity).index(one) for one in side] for side in zip(*pairs, strict=True)]
    expected = cohen_kappa_score(*steps, weights="quadratic" if quadratic else None)
    assert agreement.kappa(pairs, quadratic) == pytest.approx(expected)


def test_urgency_signals_are_mostly_right_and_half_are_seen(
    judged: list[tuple[dict[str, Any], Triage]],
) -> None:
    given = [(signal, labels(message.get("urgency"))) for message, triage in judged for signal in triage.urgency]
    there = sum(len(labels(message.get("urgency"))) for message, _ in judged)
    assert share(signal in wanted for signal, wanted in given) >= 0.70
    assert sum(signal in wanted for signal, wanted in given) / there >= 0.47


def test_a_text_alone_is_triaged_as_in_a_batch(judged: list[tuple[dict[str, Any], Triage]], skill: Skill) -> None:
    today = read("entities")["reference_date"]
    for message, triage in judged[:20]:
        assert skill.triage([message["text"]], today) == [triage]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match="can't be read"):
        load_skill(tmp_path / "model.tar.gz")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "nlu_data" / "golden" / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def labels(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def share(facts: Iterable[bool]) -> float:
    counted = list(facts)
    return sum(counted) / len(counted)
