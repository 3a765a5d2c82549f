"""Complaint, severity, category, remedy, sentiment and urgency of a message: linear heads over one encoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.conversation.triage import Category, Remedy, Sentiment, Severity, Urgency
from bot.nlu.encoder import Encoding
from bot.nlu.features import tone
from bot.nlu.fitting import Fit, Task, fit, many_hot, one_hot
from bot.nlu.linear import Floats, Linear, load_linears, save_linears, to_probabilities
from bot.nlu.triage_data import Example

FORMAT = 1
NAME = "triage"

COMPLAINT_THRESHOLD = 0.5
LABEL_THRESHOLD = 0.5
"""From here on a category or a remedy is named."""
URGENCY_PRECISION = 0.9
"""An urgency signal is given from the score on at which this share of the held-back sentences that reach it had it."""
FEWEST = 5
"""A label with fewer examples is not learnt."""

_STRENGTH = 1e-4
_SENTIMENT_STRENGTH = 2e-4
"""Inverse L2 penalties. Source: best of 3e-5 to 1e-3 on the complaint and airline tweets, see docs/nlu.md."""

_SENTIMENTS = (Sentiment.NEGATIVE, Sentiment.NEUTRAL, Sentiment.POSITIVE)


@dataclass(frozen=True)
class Judgement:
    """What the heads say of one message; the words are those of `Triage`."""

    complaint: float
    severity: Severity
    severity_scores: dict[Severity, float]
    categories: tuple[Category, ...]
    remedies: tuple[Remedy, ...]
    sentiment: Sentiment
    sentiment_value: float
    urgency: tuple[Urgency, ...]


@dataclass(frozen=True, eq=False)
class TriageHeads:
    """The trained heads. `about` tells how they were made and how well they are calibrated."""

    linears: Mapping[str, Linear]
    about: Mapping[str, Any]

    def judge(self, encoding: Encoding, complaint_threshold: float = COMPLAINT_THRESHOLD) -> list[Judgement]:
        """Return what the heads say of each text of an encoding."""
        features = tone(encoding)
        scores = {name: linear.probabilities(features) for name, linear in self.linears.items()}
        return [self._judgement(scores, row, complaint_threshold) for row in range(len(encoding))]

    def save(self, folder: Path) -> None:
        """Write the heads into a folder."""
        save_linears(folder, NAME, self.linears, self.about)

    @classmethod
    def load(cls, folder: Path) -> "TriageHeads":
        """Read what `save` wrote.

        Raises:
            ConfigError: the files are missing or damaged.
        """
        return cls(*load_linears(folder, NAME))

    def _judgement(self, scores: Mapping[str, Floats], row: int, complaint_threshold: float) -> Judgement:
        def of(name: str) -> dict[str, float]:
            if name not in scores:
                return {}
            return dict(zip(self.linears[name].labels, map(float, scores[name][row]), strict=True))

        complaint = of("complaint").get("complaint", 0.0)
        complains = complaint >= complaint_threshold
        severity = {Severity(label): score for label, score in of("severity").items()}
        mood = of("sentiment")
        categories = [Category(label) for label in _named(of("category"), at_least_one=True)] if complains else []
        thresholds = self.about.get("urgency_thresholds", {})
        return Judgement(
            complaint=complaint,
            severity=max(severity, key=severity.__getitem__) if complains and severity else Severity.NONE,
            severity_scores=severity,
            categories=tuple(categories),
            remedies=tuple(Remedy(label) for label in _named(of("remedy"))),
            sentiment=Sentiment(max(mood, key=mood.__getitem__)) if mood else Sentiment.NEUTRAL,
            sentiment_value=mood.get(Sentiment.POSITIVE, 0.0) - mood.get(Sentiment.NEGATIVE, 0.0),
            urgency=tuple(
                Urgency(label) for label, score in of("urgency").items() if score >= thresholds.get(label, 1.1)
            ),
        )


def train_heads(encoding: Encoding, examples: Sequence[Example]) -> TriageHeads:
    """Train all heads on labelled sentences; `encoding` holds their vectors, in the same order."""
    features = tone(encoding)
    complains = np.array([example.complaint for example in examples])
    fits = {name: fit(features[rows], task) for name, (task, rows) in _tasks(examples, complains).items()}
    about = {
        "format": FORMAT,
        "sentences": len(examples),
        "calibration_error": {name: round(each.calibration_error, 4) for name, each in fits.items()},
    }
    if "urgency" in fits:
        targets = _tasks(examples, complains)["urgency"][0].targets
        about["urgency_thresholds"] = _thresholds(fits["urgency"], targets)
    return TriageHeads({name: each.linear for name, each in fits.items()}, about)


def _tasks(examples: Sequence[Example], complains: Any) -> dict[str, tuple[Task, Any]]:
    """Return what each head learns, and from which rows; a head that has nothing to tell apart is left out."""
    everything = np.ones(len(examples), bool)
    tasks: dict[str, tuple[Task, Any]] = {}

    def each(name: str, values: Sequence[Sequence[str]], known: Sequence[str], rows: Any) -> None:
        chosen = [value for value, use in zip(values, rows, strict=True) if use]
        labels = tuple(label for label in known if FEWEST <= sum(label in value for value in chosen) < len(chosen))
        if labels:
            tasks[name] = Task(labels, many_hot(chosen, labels), False, _STRENGTH), rows

    def one(name: str, values: Sequence[str], known: Sequence[str], strength: float) -> None:
        labels = tuple(label for label in known if label in values)
        if len(labels) > 1:
            tasks[name] = Task(labels, one_hot(values, labels), True, strength), everything

    each("complaint", [("complaint",) if value else () for value in complains], ("complaint",), everything)
    one("severity", [str(example.severity) for example in examples], list(Severity), _STRENGTH)
    one("sentiment", [str(example.sentiment) for example in examples], _SENTIMENTS, _SENTIMENT_STRENGTH)
    told = np.array([bool(example.category) for example in examples])
    each("category", [example.category for example in examples], list(Category), told)
    each("remedy", [example.remedy for example in examples], list(Remedy), everything)
    each("urgency", [example.urgency for example in examples], list(Urgency), everything)
    return tasks


def _thresholds(found: Fit, targets: Floats) -> dict[str, float]:
    """Return from which probability on each label is right often enough; above 1 where it never is."""
    scores = to_probabilities(found.held_back, exclusive=False)
    thresholds = {}
    for place, label in enumerate(found.linear.labels):
        order = np.argsort(-scores[:, place])
        precision = np.cumsum(targets[order, place]) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(precision >= URGENCY_PRECISION)
        enough = enough[enough >= FEWEST - 1]
        thresholds[label] = float(scores[order[enough[-1]], place]) if len(enough) else 1.1
    return thresholds


def _named(scores: Mapping[str, float], at_least_one: bool = False) -> list[str]:
    """Return the labels that are probable enough, the most probable first."""
    order = sorted(scores, key=lambda label: -scores[label])
    named = [label for label in order if scores[label] >= LABEL_THRESHOLD]
    return named or (order[:1] if at_least_one else [])
