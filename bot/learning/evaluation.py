"""How good a model is on the golden tests, head by head, and how it compares with another one."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from bot.conversation.errors import BadInput
from bot.conversation.triage import Triage
from bot.learning.golden import ENTITIES, Golden, Labels, certainty_of, right_entities, said_of
from bot.learning.replay import Replayed
from bot.learning.statistics import (
    Counts,
    Facts,
    Interval,
    calibration,
    difference,
    interval,
    macro_f1,
    mcnemar,
    share,
)
from bot.nlu.skill import Skill

FORMAT = 1
AT_ONCE = 200
"""Messages; about as many as an encoder remembers, and enough for long passes."""
EXAMPLES = 50
"""How many messages of a kind a report names."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelScore(_Value):
    """How well one label is told: `n` messages have it. Rates run from 0 to 1."""

    label: str
    n: int
    precision: float
    recall: float
    f1: float


class Scores(_Value):
    """What a model reaches on one head. `accuracy` counts the messages that have exactly the right labels.

    `ece` is the expected calibration error, None where the head tells no probability.
    """

    accuracy: Interval
    macro_f1: Interval
    ece: float | None
    labels: tuple[LabelScore, ...]

    def recall(self, label: str) -> float | None:
        """Return the recall of a label, None if no message has it."""
        return next((each.recall for each in self.labels if each.label == label and each.n), None)


class Confusion(_Value):
    """How many messages that should be `wanted` were called `got`."""

    wanted: str
    got: str
    count: int


class Example(_Value):
    """A golden message that only one of two models has right: what it should be, what it is called and was called."""

    text: str
    wanted: str
    got: str
    was: str


class Comparison(_Value):
    """A model beside another one. Differences are above 0 where it is better.

    `better` and `worse` count the messages that only it, or only the other, has right; `p` is of McNemar's test.
    """

    against: Scores
    accuracy: Interval
    macro_f1: Interval
    better: int
    worse: int
    p: float
    newly_right: tuple[Example, ...]
    newly_wrong: tuple[Example, ...]


class HeadReport(_Value):
    """One head on its `n` golden messages."""

    head: str
    n: int
    scores: Scores
    confusions: tuple[Confusion, ...]
    comparison: Comparison | None


class Evaluation(_Value):
    """All that was measured of a model, and what it was measured with.

    `sha256` is of the model's file, `against` the other model's file name; `golden` changes with the golden tests.
    """

    format: int = FORMAT
    model: str
    sha256: str
    against: str | None
    golden: str
    made_at: AwareDatetime
    heads: tuple[HeadReport, ...]
    replay: Replayed | None

    def head(self, name: str) -> HeadReport | None:
        """Return the report of a head, None if it was not measured."""
        return next((each for each in self.heads if each.head == name), None)

    def save(self) -> str:
        """Return it as JSON text."""
        return self.model_dump_json(indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of the golden messages, by file; `complaint_from` is its threshold for a complaint."""

    triages: Mapping[str, Sequence[Triage]]
    complaint_from: float

    @classmethod
    def of(cls, golden: Golden, *skills: Skill) -> list["Answers"]:
        """Ask models, all about a few messages before the next, so that their common encoder reads each once."""
        triages = [{file: list[Triage]() for file in golden.texts} for _ in skills]
        for file, texts in golden.texts.items():
            for start in range(0, len(texts), AT_ONCE):
                for skill, said in zip(skills, triages, strict=True):
                    said[file] += skill.triage(texts[start : start + AT_ONCE], golden.today)
        return [cls(said, skill.thresholds.complaint) for skill, said in zip(skills, triages, strict=True)]


@dataclass(frozen=True, eq=False)
class _Said:
    """What a model says for one head: the labels of each message, how they count, and which messages are right."""

    got: Sequence[Labels]
    counts: Counts
    right: Facts
    certain: Sequence[tuple[float, bool]]


def evaluation_of(model: Path) -> Path:
    """Return the file beside a model that holds its evaluation."""
    return model.with_name(model.name.split(".")[0] + ".evaluation.json")


def load_evaluation(file: Path) -> Evaluation | None:
    """Return the evaluation that a file holds, None if there is none.

    Raises:
        BadInput: it can't be read, or is of another version.
    """
    try:
        return Evaluation.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BadInput(f"the evaluation {file} can't be read; make it again: frontdesk evaluate") from error


def digest_of(model: Path) -> str:
    """Return the SHA-256 of a model's file."""
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure(golden: Golden, answers: Answers, other: Answers | None = None) -> tuple[HeadReport, ...]:
    """Return what a model reaches on each head of the golden tests, beside another one if that is given."""
    reports = []
    for head, (file, wanted) in golden.heads.items():
        now = _read(golden, head, answers)
        then = _read(golden, head, other) if other else None
        pairs = Counter((_named(want), _named(got)) for want, got in zip(wanted, now.got, strict=True) if want != got)
        reports.append(
            HeadReport(
                head=head,
                n=len(wanted),
                scores=_scores(wanted, now),
                confusions=tuple(Confusion(wanted=w, got=g, count=n) for (w, g), n in pairs.most_common()),
                comparison=_compare(golden.texts[file], wanted, now, then) if then else None,
            )
        )
    return tuple(reports)


def _read(golden: Golden, head: str, answers: Answers) -> _Said:
    file, wanted = golden.heads[head]
    triages = answers.triages[file]
    got = [said_of(head, triage, answers.complaint_from) for triage in triages]
    if head == ENTITIES:
        rows = zip(triages, golden.entities, strict=True)
        right = [Labels(one.kind for one in right_entities(triage.entities, spans)) for triage, spans in rows]
    else:
        right = [want & say for want, say in zip(wanted, got, strict=True)]
    labels = sorted({label for each in wanted for label in each})
    counts = np.array(
        [
            [(hit[one], say[one] - hit[one], want[one] - hit[one]) for one in labels]
            for want, say, hit in zip(wanted, got, right, strict=True)
        ]
    )
    exact = [want == say == hit for want, say, hit in zip(wanted, got, right, strict=True)]
    certain = [certainty_of(head, *row) for row in zip(triages, wanted, strict=True)]
    return _Said(got, counts, np.array(exact), [each for each in certain if each])


def _scores(wanted: Sequence[Labels], said: _Said) -> Scores:
    labels = sorted({label for each in wanted for label in each})
    n = len(wanted)
    found = []
    for label, (right, extra, missed) in zip(labels, said.counts.sum(axis=0).tolist(), strict=True):
        found.append(
            LabelScore(
                label=label,
                n=sum(label in each for each in wanted),
                precision=right / (right + extra) if right + extra else 0.0,
                recall=right / (right + missed),
                f1=2 * right / (2 * right + extra + missed),
            )
        )
    return Scores(
        accuracy=interval(share(said.right), n),
        macro_f1=interval(macro_f1(said.counts), n),
        ece=calibration(*zip(*said.certain, strict=True)) if said.certain else None,
        labels=tuple(found),
    )


def _compare(texts: Sequence[str], wanted: Sequence[Labels], now: _Said, then: _Said) -> Comparison:
    n = len(texts)
    better, worse = now.right & ~then.right, then.right & ~now.right

    def examples(rows: Facts) -> tuple[Example, ...]:
        places = np.flatnonzero(rows)[:EXAMPLES].tolist()
        return tuple(
            Example(text=texts[i], wanted=_named(wanted[i]), got=_named(now.got[i]), was=_named(then.got[i]))
            for i in places
        )

    return Comparison(
        against=_scores(wanted, then),
        accuracy=interval(difference(share(now.right), share(then.right)), n),
        macro_f1=interval(difference(macro_f1(now.counts), macro_f1(then.counts)), n),
        better=int(better.sum()),
        worse=int(worse.sum()),
        p=mcnemar(int(better.sum()), int(worse.sum())),
        newly_right=examples(better),
        newly_wrong=examples(worse),
    )


def _named(labels: Labels) -> str:
    return ", ".join(sorted(labels.elements())) or "none"
