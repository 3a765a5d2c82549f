"""Labelled CSV files, and heads that are trained on them by the code that `frontdesk train` uses."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from bot.nlu.encoder import Encoder, Encoding
from bot.nlu.fitting import Task, calibration_error
from bot.nlu.heads import COMPLAINT_THRESHOLD, Judgement, train_heads
from bot.nlu.intents import OUT_OF_SCOPE, IntentGuess, Taught, train_intents
from bot.nlu.text import prepare
from bot.nlu.triage_data import Example

COMPLAINTS = {"complaint", "not_complaint"}
SENTIMENTS = ("negative", "neutral", "positive")
EVEN = 0.5
"""From here on a complaint is likelier than none: what is trained and tested on one kind of messages starts here."""
OOS = "oos"
"""How CLINC150 calls what no intent is for."""


@dataclass(frozen=True)
class Row:
    """A labelled text. `addressed` to a company, as far as is known; `split` as the file tells it."""

    text: str
    label: str
    addressed: bool = True
    split: str = ""


def read(file: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as lines:
        found = csv.DictReader(lines)
        if not {"text", "label"} <= set(found.fieldnames or ()):
            raise SystemExit(f"{file}: the columns text and label are needed, not {', '.join(found.fieldnames or ())}")
        return [
            Row(
                line["text"],
                line["label"],
                not (line.get("domain") or "").startswith("random"),
                line.get("split") or "",
            )
            for line in found
        ]


def kind_of(rows: Sequence[Row]) -> str:
    """Return what the labels are of."""
    labels = {row.label for row in rows}
    return "complaint" if labels <= COMPLAINTS else "sentiment" if labels <= set(SENTIMENTS) else "intent"


def as_examples(rows: Sequence[Row], kind: str) -> list[Example]:
    """Return rows as sentences with triage labels; what a file does not tell is the same for all, and so not learnt."""
    return [
        Example(
            text=row.text,
            complaint=row.label == "complaint",
            severity="none",
            sentiment=row.label if kind == "sentiment" else "neutral",
        )
        for row in rows
    ]


def as_taught(rows: Sequence[Row]) -> Taught:
    """Return rows as examples of intents, of which nothing is known but the name."""
    return Taught.of([(row.text, OUT_OF_SCOPE if row.label == OOS else row.label) for row in rows], {})


class Trained:
    """Heads over an encoder."""

    def __init__(
        self,
        encoder: Encoder,
        examples: Sequence[Example],
        intents: Taught,
        complaint_from: float = COMPLAINT_THRESHOLD,
    ) -> None:
        """Fit the heads."""
        self.complaint_from = complaint_from
        self.encoder = encoder
        self.heads = train_heads(self._encode([one.text for one in examples]), examples) if examples else None
        self.intents = train_intents(self._encode(intents.texts, triage=False), intents) if intents.examples else None

    def judge(self, rows: Sequence[Row]) -> list[Judgement]:
        """Return what the heads of triage say of rows."""
        assert self.heads
        return self.heads.judge(self._encode([row.text for row in rows]))

    def guess(self, rows: Sequence[Row]) -> list[IntentGuess]:
        """Return what the head of intents says of rows."""
        assert self.intents
        return self.intents.guess(self._encode([row.text for row in rows], triage=False))

    def measure(self, rows: Sequence[Row]) -> dict[str, float]:
        """Return the figures for rows."""
        kind = kind_of(rows)
        if kind == "intent":
            return measure_intents(rows, self.guess(rows))
        return measure_triage(rows, kind, self.judge(rows), self.complaint_from)

    def _encode(self, texts: Sequence[str], triage: bool = True) -> Encoding:
        return self.encoder.encode([prepare(text) for text in texts], triage)


def measure_triage(
    rows: Sequence[Row], kind: str, judgements: Sequence[Judgement], complaint_from: float = COMPLAINT_THRESHOLD
) -> dict[str, float]:
    """Return the figures of complaint or sentiment; all run from 0 to 1, but for `n`."""
    true = np.array([row.label for row in rows])
    if kind == "sentiment":
        return _shares(true, np.array([str(each.sentiment) for each in judgements]))
    scores = np.array([each.complaint for each in judgements], np.float32)
    complaints = true == "complaint"
    task = Task(("complaint",), complaints.astype(np.float32)[:, None], False, 1.0)
    return {
        **_shares(true, np.where(scores >= complaint_from, "complaint", "not_complaint")),
        "auc": float(roc_auc_score(complaints, scores)),
        "ece": calibration_error(scores[:, None], task),
    }


def measure_intents(rows: Sequence[Row], guesses: Sequence[IntentGuess]) -> dict[str, float]:
    """Return the figures of intents; where a part is out of scope also those of telling it, from 0 to 1.

    `accuracy`, `macro_f1`, `macro_recall` and `ece` are of the rows that are in scope. `oos_auroc`: how well
    `out_of_scope` tells both apart. `oos_recall_at_90`: share of the unknown that is found where 90 % of the known are
    kept.
    """
    strange = np.array([row.label == OOS for row in rows])
    known = [(row, guess) for row, guess in zip(rows, guesses, strict=True) if row.label != OOS]
    true = np.array([row.label for row, _ in known])
    best = [next(pair for pair in guess.ranking if pair[0] != OUT_OF_SCOPE) for _, guess in known]
    said = np.array([name for name, _ in best])
    confidence = np.array([[score] for _, score in best], np.float32)
    right = Task(("right",), (said == true).astype(np.float32)[:, None], False, 1.0)
    found = {**_shares(true, said), "ece": calibration_error(confidence, right)}
    if strange.any():
        scores = np.array([guess.out_of_scope for guess in guesses])
        limit = np.quantile(scores[~strange], 0.9)
        found["oos_auroc"] = float(roc_auc_score(strange, scores))
        found["oos_recall_at_90"] = float((scores[strange] > limit).mean())
    return found


def false_alarms(rows: Sequence[Row], judgements: Sequence[Judgement], recall: float) -> float:
    """Return the share of chatter called a complaint at the score that finds that share of all complaints, 0 to 1."""
    scores = np.array([each.complaint for each in judgements])
    complaints = np.array([row.label == "complaint" for row in rows])
    chatter = np.array([not row.addressed for row in rows])
    return float((scores[chatter] >= np.quantile(scores[complaints], 1 - recall)).mean())


def _shares(true: NDArray[np.str_], said: NDArray[np.str_]) -> dict[str, float]:
    return {
        "n": float(len(true)),
        "accuracy": float(accuracy_score(true, said)),
        "macro_f1": float(f1_score(true, said, average="macro", labels=sorted(set(true)))),
        "macro_recall": float(recall_score(true, said, average="macro", labels=sorted(set(true)), zero_division=0)),
    }
