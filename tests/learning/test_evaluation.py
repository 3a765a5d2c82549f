"""Golden tests: what a model says of them, and how it compares with another one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Category, Entity, Guess, Sentiment, Severity, Triage, Urgency
from bot.learning.evaluation import Answers, HeadReport, measure
from bot.learning.golden import Golden, read_golden
from tests.running import ROOT

INTENTS = """
messages:
- intent: faq/delivery_time
  texts: [how long, when will it come]
- intent: greet
  texts: [hello]
- intent: out_of_scope
  texts: [do you MOT cars]
"""
TRIAGE = """
defaults: {complaint: false, severity: none, sentiment: neutral, category: [], urgency: []}
messages:
- {text: late and cross, complaint: true, severity: accusation, sentiment: negative, category: [delivery, service]}
- {text: it burns, complaint: true, severity: disapproval, sentiment: negative, category: product, urgency: safety}
- {text: thank you}
- {text: i want my money back, complaint: true, severity: none, sentiment: neutral, category: [refund]}
"""
ENTITIES = """
reference_date: 2026-11-23
messages:
- text: £45 and £45 on monday
  entities:
  - {kind: amount, text: £45, value: GBP 45.00}
  - {kind: amount, text: £45, value: GBP 45.00}
  - {kind: date, text: monday}
- text: nothing
"""


@pytest.fixture
def golden(tmp_path: Path) -> Golden:
    for name, text in (("intents", INTENTS), ("triage", TRIAGE), ("entities", ENTITIES)):
        (tmp_path / f"{name}.yml").write_text(text)
    return read_golden(tmp_path)


def intent(name: str, best: str | None = None, confidence: float = 0.9) -> Triage:
    return Triage(intent=name, confidence=confidence, ranking=(Guess(name=best or name, confidence=confidence),))


INTENTS_SAID = [
    intent("faq/delivery_time"),
    intent("nlu_fallback", best="greet", confidence=0.2),
    intent("greet"),
    intent("nlu_fallback"),
]
TRIAGE_SAID = [
    Triage(
        complaint=0.9,
        severity=Severity.ACCUSATION,
        severity_scores={Severity.ACCUSATION: 0.8, Severity.NONE: 0.2},
        sentiment=Sentiment.NEGATIVE,
        categories=(Category.SERVICE, Category.DELIVERY),
    ),
    Triage(complaint=0.6, severity=Severity.ACCUSATION, sentiment=Sentiment.NEGATIVE, urgency=(Urgency.SAFETY,)),
    Triage(complaint=0.1, sentiment=Sentiment.NEUTRAL),
    Triage(complaint=0.3, sentiment=Sentiment.NEUTRAL, categories=(Category.REFUND,), urgency=(Urgency.LEGAL,)),
]


def entity(kind: str, value: str, start: int, end: int) -> Entity:
    return Entity(kind=kind, value=value, start=start, end=end)


ENTITIES_SAID = [
    Triage(
        entities=(
            entity("amount", "GBP 45.00", 0, 3),
            entity("amount", "GBP 54.00", 8, 11),
            entity("date", "2026-11-23", 15, 21),
        )
    ),
    Triage(),
]


def answers(
    intents: Sequence[Triage] = INTENTS_SAID,
    triage: Sequence[Triage] = TRIAGE_SAID,
    entities: Sequence[Triage] = ENTITIES_SAID,
    complaint_from: float = 0.5,
) -> Answers:
    return Answers({"intents.yml": intents, "triage.yml": triage, "entities.yml": entities}, complaint_from)


def reports(golden: Golden, one: Answers, other: Answers | None = None) -> dict[str, HeadReport]:
    return {report.head: report for report in measure(golden, one, other)}


def confusions(report: HeadReport) -> set[tuple[str, str, int]]:
    return {(each.wanted, each.got, each.count) for each in report.confusions}


def test_every_head_that_is_labelled_is_measured(golden: Golden) -> None:
    found = reports(golden, answers())
    assert {name: report.scores.accuracy.value for name, report in found.items()} == {
        "intents": 0.75,
        "complaint": 0.75,
        "severity": 0.75,
        "sentiment": 1,
        "category": 0.75,
        "urgency": 0.75,
        "entities": 0.5,
    }
    assert confusions(found["intents"]) == {("faq/delivery_time", "not understood", 1)}
    assert confusions(found["severity"]) == {("disapproval", "accusation", 1)}
    assert confusions(found["complaint"]) == {("complaint", "no complaint", 1)}
    assert confusions(found["category"]) == {("product", "none", 1)}
    assert confusions(found["urgency"]) == {("none", "legal", 1)}


def test_what_is_not_answered_is_right_for_what_is_not_known(golden: Golden) -> None:
    scores = {each.label: each for each in reports(golden, answers())["intents"].scores.labels}
    assert (scores["not understood"].recall, scores["not understood"].precision) == (1, 0.5)
    assert scores["faq/delivery_time"].recall == 0.5


def test_an_entity_counts_once_and_with_its_value(golden: Golden) -> None:
    amount, date = reports(golden, answers())["entities"].scores.labels
    assert (amount.label, amount.precision, amount.recall) == ("amount", 0.5, 0.5)
    assert (date.label, date.precision, date.recall) == ("date", 1, 1)


def test_the_threshold_of_the_model_says_what_a_complaint_is(golden: Golden) -> None:
    strict, loose = (reports(golden, answers(complaint_from=value))["complaint"] for value in (0.7, 0.2))
    assert strict.scores.recall("complaint") == pytest.approx(1 / 3)
    assert loose.scores.recall("complaint") == 1


def test_probabilities_are_measured_before_thresholds_and_only_where_there_are_some(golden: Golden) -> None:
    found = reports(golden, answers())
    assert found["complaint"].scores.ece == pytest.approx((0.1 + 0.4 + 0.1 + 0.7) / 4, abs=1e-4)
    assert found["severity"].scores.ece == pytest.approx(0.2, abs=1e-4)
    assert found["sentiment"].scores.ece is None


def test_two_models_are_compared_message_by_message(golden: Golden) -> None:
    other = [intent("greet"), intent("faq/delivery_time"), intent("greet"), intent("nlu_fallback")]
    compared = reports(golden, answers(), answers(intents=other))["intents"].comparison
    assert compared
    assert (compared.better, compared.worse, compared.p, compared.accuracy.value) == (1, 1, 1.0, 0)
    (right,), (wrong,) = compared.newly_right, compared.newly_wrong
    assert (right.text, right.wanted, right.was, right.got) == (
        "how long", "faq/delivery_time", "greet", "faq/delivery_time"
    )  # fmt: skip
    assert (wrong.text, wrong.got) == ("when will it come", "not understood")
    assert reports(golden, answers())["intents"].comparison is None


def test_the_digest_changes_with_the_tests_and_with_nothing_else(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "promotion.yml").write_text("drop: {accuracy: 1}")
    assert read_golden(tmp_path).digest == golden.digest
    (tmp_path / "intents.yml").write_text(INTENTS.replace("hello", "hi"))
    assert read_golden(tmp_path).digest != golden.digest


def test_the_shipped_golden_tests_are_read_whole() -> None:
    shipped = read_golden(ROOT / "nlu_data" / "golden")
    assert {"intents", "complaint", "severity", "sentiment", "category", "urgency", "entities"} <= set(shipped.heads)
    for file, wanted in shipped.heads.values():
        assert len(wanted) == len(shipped.texts[file]) > 300


def test_an_entity_that_its_message_does_not_have_is_told(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "entities.yml").write_text(ENTITIES.replace("text: monday", "text: tuesday"))
    with pytest.raises(ConfigError, match="'tuesday' does not come"):
        read_golden(tmp_path)


def test_a_folder_without_golden_tests_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no golden tests"):
        read_golden(tmp_path)


@pytest.mark.parametrize("content", ["messages: [", "messages: [{texts: [a]}]", "- 1", "messages: {a: 1}"])
def test_a_golden_file_that_is_wrong_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "intents.yml").write_text(content)
    with pytest.raises(ConfigError, match=r"intents\.yml"):
        read_golden(tmp_path)
