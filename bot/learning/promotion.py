"""The gate: may a candidate become live? Rules from a file, applied to its evaluation."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.conversation.errors import ConfigError
from bot.learning.evaluation import Evaluation, HeadReport
from bot.learning.golden import COMPLAINT

RULES = "promotion.yml"
"""In the folder of the golden tests; what is there makes no other model."""

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Least(_Rules):
    """What a head must reach."""

    accuracy: Share = 0.0
    macro_f1: Share = 0.0
    ece_at_most: Share = 1.0


class Drop(_Rules):
    """How much worse than the live model a candidate may be on the same messages."""

    significant_p: Share = 0.05
    accuracy: Share = 0.02
    complaint_recall: Share = 0.0


class ReplayRules(_Rules):
    """What must have been replayed, and how much may change there; a single episode may, unless none is to."""

    days: int = Field(0, ge=0)
    newly_handed_over_pct: Percent = 5.0
    no_longer_handed_over_pct: Percent = 5.0


class Rules(_Rules):
    """All rules; `nlu_data/golden/promotion.yml` explains them."""

    at_least: Mapping[str, Least] = {}
    drop: Drop = Drop()
    replay: ReplayRules = ReplayRules()


def read_rules(folder: Path) -> Rules:
    """Return the rules that stand beside the golden tests; without a file, the defaults.

    Raises:
        ConfigError: a rule is not as it should be, or there is no such rule.
    """
    file = folder / RULES
    try:
        return Rules.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except FileNotFoundError:
        return Rules()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def validity(evaluation: Evaluation | None, sha256: str, live: str | None, golden: str) -> list[str]:
    """Return why an evaluation can't be relied on for a promotion now; nothing if it can.

    Args:
        evaluation: what is stored beside the model.
        sha256: of the model's file as it is now.
        live: the file name of the model that is live now.
        golden: the digest of the golden tests as they are now.
    """
    if evaluation is None:
        return ["it was not evaluated"]
    reasons = []
    if evaluation.sha256 != sha256:
        reasons.append("its file is not the one that was evaluated")
    if evaluation.against != live:
        reasons.append(f"it was compared with {evaluation.against or 'no other model'}, and {live} is live")
    if evaluation.golden != golden:
        reasons.append("the golden tests have changed since it was evaluated")
    return reasons


def objections(evaluation: Evaluation, rules: Rules) -> list[str]:
    """Return every reason for which a model must not become live; nothing if it may."""
    return [*_too_low(evaluation, rules), *_worse(evaluation, rules.drop), *_changed(evaluation, rules.replay)]


def _too_low(evaluation: Evaluation, rules: Rules) -> Iterator[str]:
    for head, least in rules.at_least.items():
        report = evaluation.head(head)
        if report is None:
            yield f"{head}: there are no golden tests of it, and {RULES} asks for some"
            continue
        scores = report.scores
        for name, value, limit in (
            ("accuracy", scores.accuracy.value, least.accuracy),
            ("macro-F1", scores.macro_f1.value, least.macro_f1),
        ):
            if value < limit:
                yield f"{head}: {name} {value:.3f}, at least {limit:.3f} is needed"
        if scores.ece is not None and scores.ece > least.ece_at_most:
            yield f"{head}: calibration error {scores.ece:.3f}, at most {least.ece_at_most:.3f} is allowed"


def _worse(evaluation: Evaluation, drop: Drop) -> Iterator[str]:
    for report in evaluation.heads:
        compared = report.comparison
        if compared is None:
            continue
        lost = compared.against.accuracy.value - report.scores.accuracy.value
        counts = f"{compared.worse} messages newly wrong, {compared.better} newly right"
        if compared.worse > compared.better and compared.p < drop.significant_p:
            yield f"{report.head}: significantly worse than the live model ({counts}, p = {compared.p:.2g})"
        elif lost > drop.accuracy:
            yield f"{report.head}: accuracy {lost:.3f} below the live model's ({counts})"
        if report.head == COMPLAINT:
            yield from _missed_complaints(report, drop)


def _missed_complaints(report: HeadReport, drop: Drop) -> Iterator[str]:
    before = report.comparison.against.recall(COMPLAINT) if report.comparison else None
    now = report.scores.recall(COMPLAINT)
    if before is not None and now is not None and before - now > drop.complaint_recall:
        yield f"complaint: it finds {100 * now:.1f} % of the complaints, the live model {100 * before:.1f} %"


def _changed(evaluation: Evaluation, rules: ReplayRules) -> Iterator[str]:
    replay = evaluation.replay
    if replay is None or replay.days < rules.days:
        if rules.days:
            done = f"{replay.days} days were" if replay else "nothing was"
            yield f"replay: {done} replayed, {rules.days} days are needed"
        if replay is None:
            return
    for name, count, limit in (
        ("newly handed over", replay.newly, rules.newly_handed_over_pct),
        ("no longer handed over", replay.no_longer, rules.no_longer_handed_over_pct),
    ):
        if replay.pct(count) > limit and (count > 1 or not limit):
            yield (
                f"replay: {count} of {replay.episodes} episodes {name} ({replay.pct(count):.1f} %),"
                f" at most {limit:g} % are allowed"
            )
