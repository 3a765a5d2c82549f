"""The gate: what keeps a candidate from becoming live, and that every reason is told."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.conversation.errors import BadInput, ConfigError
from bot.learning.evaluation import (
    Comparison,
    Evaluation,
    HeadReport,
    LabelScore,
    Scores,
    evaluation_of,
    load_evaluation,
)
from bot.learning.promotion import Drop, Least, ReplayRules, Rules, objections, read_rules, validity
from bot.learning.replay import Replayed
from bot.learning.statistics import Interval, mcnemar
from tests.running import ROOT

SOUND = {"sha256": "s", "live": "live.tar.gz", "golden": "g"}


def point(value: float) -> Interval:
    return Interval(value=value, low=value, high=value)


def scores(accuracy: float, recall: float = 0.8, ece: float | None = 0.05) -> Scores:
    label = LabelScore(label="complaint", n=100, precision=0.8, recall=recall, f1=0.8)
    return Scores(accuracy=point(accuracy), macro_f1=point(accuracy), ece=ece, labels=(label,))


def head(name: str, better: int = 0, worse: int = 0, recalls: tuple[float, float] = (0.8, 0.8)) -> HeadReport:
    """A head of 1,000 messages of which the live model has 80 % right."""
    now = 0.8 + (better - worse) / 1000
    compared = Comparison(
        against=scores(0.8, recalls[0]),
        accuracy=point(now - 0.8),
        macro_f1=point(now - 0.8),
        better=better,
        worse=worse,
        p=mcnemar(better, worse),
        newly_right=(),
        newly_wrong=(),
    )
    return HeadReport(head=name, n=1000, scores=scores(now, recalls[1]), confusions=(), comparison=compared)


def replay(newly: int = 0, no_longer: int = 0, episodes: int = 100, days: int = 7) -> Replayed:
    counts = {"episodes": episodes, "messages": 0, "kept": 0, "cut": 0, "as_logged": 0, "changed": 0}
    return Replayed(
        **counts,
        days=days,
        before="live.tar.gz",
        changes=(),
        pairs=(),
        newly=newly,
        newly_handed_over=(),
        no_longer=no_longer,
        no_longer_handed_over=(),
    )


def evaluation(heads: Sequence[HeadReport], replayed: Replayed | None = None) -> Evaluation:
    return Evaluation(
        model="candidate.tar.gz",
        sha256="s",
        against="live.tar.gz",
        golden="g",
        made_at=datetime(2026, 11, 26, tzinfo=UTC),
        heads=tuple(heads),
        replay=replayed,
    )


def test_a_candidate_that_is_as_good_may_become_live() -> None:
    good = evaluation([head("intents", better=5, worse=5), head("complaint")], replay(newly=5, no_longer=5))
    assert validity(good, **SOUND) == []
    assert objections(good, Rules()) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"sha256": "other"}, "its file is not the one that was evaluated"),
        ({"live": "newer.tar.gz"}, "it was compared with live.tar.gz, and newer.tar.gz is live"),
        ({"golden": "more"}, "the golden tests have changed since it was evaluated"),
    ],
)
def test_an_evaluation_of_other_things_is_not_relied_on(now: dict[str, str], told: str) -> None:
    assert validity(evaluation([head("intents")]), **{**SOUND, **now}) == [told]


def test_a_candidate_that_was_not_evaluated_is_refused() -> None:
    assert validity(None, **SOUND) == ["it was not evaluated"]


def at_least(name: str = "intents", **limits: float) -> Rules:
    return Rules(at_least={name: Least(**limits)})


@pytest.mark.parametrize(
    ("report", "rules", "told"),
    [
        (head("intents"), at_least(accuracy=0.81), "intents: accuracy 0.800, at least 0.810"),
        (head("intents"), at_least(macro_f1=0.9), "intents: macro-F1 0.800, at least 0.900"),
        (head("intents"), at_least(ece_at_most=0.01), "intents: calibration error 0.050"),
        (head("intents"), at_least("remedy"), "remedy: there are no golden tests of it"),
        (head("intents", worse=8), Rules(), "intents: significantly worse than the live model (8 messages newly"),
        (head("severity", better=200, worse=230), Rules(), "severity: accuracy 0.030 below the live model's"),
        (head("complaint", recalls=(0.8, 0.79)), Rules(), "complaint: it finds 79.0 % of the complaints"),
    ],
)
def test_each_rule_about_golden_tests_refuses(report: HeadReport, rules: Rules, told: str) -> None:
    (reason,) = objections(evaluation([report]), rules)
    assert reason.startswith(told)


def test_of_few_episodes_one_may_change_unless_none_is_to() -> None:
    one, two = (evaluation([], replay(newly=count, episodes=14)) for count in (1, 2))
    assert objections(one, Rules()) == []
    assert objections(two, Rules()) == ["replay: 2 of 14 episodes newly handed over (14.3 %), at most 5 % are allowed"]
    assert objections(one, Rules(replay=ReplayRules(newly_handed_over_pct=0))) != []


def test_a_difference_that_chance_explains_does_not_refuse() -> None:
    assert objections(evaluation([head("intents", better=10, worse=14)]), Rules()) == []
    allowed = Rules(drop=Drop(complaint_recall=0.02))
    assert objections(evaluation([head("complaint", recalls=(0.8, 0.79))]), allowed) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "replay: nothing was replayed, 7 days are needed"),
        (replay(days=3), "replay: 3 days were replayed, 7 days are needed"),
        (replay(newly=6), "replay: 6 of 100 episodes newly handed over (6.0 %), at most 5 % are allowed"),
        (replay(no_longer=6), "replay: 6 of 100 episodes no longer handed over (6.0 %), at most 5 % are allowed"),
    ],
)
def test_each_rule_about_the_replay_refuses(found: Replayed | None, told: str) -> None:
    assert objections(evaluation([], found), Rules(replay=ReplayRules(days=7))) == [told]


def test_an_installation_without_conversations_can_promote() -> None:
    assert objections(evaluation([], replay(episodes=0)), Rules(replay=ReplayRules(days=7))) == []


def test_all_reasons_are_told_at_once() -> None:
    bad = evaluation([head("intents", worse=300), head("complaint", worse=300, recalls=(0.8, 0.2))], replay(newly=50))
    rules = Rules(at_least={"intents": Least(accuracy=0.7)})
    assert len(objections(bad, rules)) == 5


def test_the_shipped_rules_are_read() -> None:
    rules = read_rules(ROOT / "nlu_data" / "golden")
    assert rules.at_least["entities"].macro_f1 == 0.95
    assert rules.drop.complaint_recall == 0


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_rules(tmp_path) == Rules()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("drop: {acuracy: 0.1}", "drop.acuracy: Extra inputs"),
        ("at_least: {intents: {accuracy: 75}}", "at_least.intents.accuracy: Input should be less than"),
        ("drop: [", "can't be read"),
        ("- 1", "promotion.yml: "),
    ],
)
def test_a_wrong_rule_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "promotion.yml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_rules(tmp_path)
    assert told in str(caught.value)


def test_an_evaluation_is_kept_beside_its_model(tmp_path: Path) -> None:
    file = evaluation_of(tmp_path / "abc.tar.gz")
    assert load_evaluation(file) is None
    kept = evaluation([head("intents", better=3)], replay(newly=1))
    file.write_text(kept.save())
    assert load_evaluation(file) == kept
    assert list(tmp_path.glob("*.tar.gz")) == []
    file.write_text("{}")
    with pytest.raises(BadInput, match="frontdesk evaluate"):
        load_evaluation(file)
