"""Complaint, severity, category, remedy, sentiment and urgency of a message: linear heads over one encoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.conversation.triage import Category, Remedy, Sentiment, Severity, Urgency
from bot.nlu.encoder import Encoding
from bot.nlu.features import mood, tone
from bot.nlu.fitting import Fit, Space, Task, fit_all, many_hot, one_hot
from bot.nlu.lexicon import WIDTH as WORDS
from bot.nlu.lexicon import mood_of_words
from bot.nlu.linear import Floats, Linear, load_linears, save_linears
from bot.nlu.triage_data import Example

FORMAT = 5
"""Changes with what a head sees of a text: one that learnt to see something else is refused."""
NAME = "triage"
SENTIMENT = "sentiment"
WORDS_WEIGHT = 20.0
"""How much more a word's mood weighs than one feature of the encoder, for the sentiment. Source: best of 12, 16, 20
and 24 on airline tweets and TweetEval, with heads trained on our sentences."""

COMPLAINT_THRESHOLD = 0.4
"""From here on a message counts as a complaint. Source: docs/nlu.md, operating points."""
NO_REPROACH = 0.55
"""From here on a complaint has no severity. Source: nlu_data/golden/triage.yml; with 0.5 a point more is right, but
more reproaches are missed, who only says that they are cross among them."""
LABEL_THRESHOLD = 0.5
"""From here on a category or a remedy is named."""
FEWEST = 5
"""A label with fewer examples is not learnt."""
KEPT = 0.95
"""The share of the features' variance that is looked at. Source: public tweets and golden messages; 0.97 takes a third
longer and 0.99 twice as long for the same figures."""

_STRENGTH = {"complaint": 1.0, SENTIMENT: 1.4, "severity": 40.0, "category": 40.0, "remedy": 40.0, "urgency": 40.0}
"""Inverse L2 penalties, times the number of sentences. Source: best of 0.1 to 120, for complaint and sentiment on
public tweets with heads trained on those, for the others on nlu_data/golden/triage.yml."""
_TUNED_MOOD = 0.12
"""That of the mood where most sentences are those that the encoder was tuned with: it tells them apart all too easily.
Source: best of 0.03 to 1.4 on public tweets, with heads trained on our sentences; for the others it makes no difference
or, for complaints, harm."""

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
    urgency_scores: dict[Urgency, float]


@dataclass(frozen=True, eq=False)
class TriageHeads:
    """The trained heads. `about` tells how they were made and how well they are calibrated."""

    linears: Mapping[str, Linear]
    about: Mapping[str, Any]

    def judge(self, encoding: Encoding, complaint_threshold: float = COMPLAINT_THRESHOLD) -> list[Judgement]:
        """Return what the heads say of each text of an encoding."""
        features = mood(encoding)
        scores = {
            name: linear.probabilities(features if name == SENTIMENT else features[:, :-WORDS])
            for name, linear in self.linears.items()
        }
        return [self._judgement(scores, row, complaint_threshold) for row in range(len(encoding))]

    def save(self, folder: Path) -> None:
        """Write the heads into a folder."""
        save_linears(folder, NAME, self.linears, self.about)

    @classmethod
    def load(cls, folder: Path) -> "TriageHeads":
        """Read what `save` wrote.

        Raises:
            ConfigError: the files are missing, damaged, or of another format.
        """
        return cls(*load_linears(folder, NAME, FORMAT))

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
        return Judgement(
            complaint=complaint,
            severity=_severity(severity) if complains else Severity.NONE,
            severity_scores=severity,
            categories=tuple(categories),
            remedies=tuple(Remedy(label) for label in _named(of("remedy"))),
            sentiment=Sentiment(max(mood, key=mood.__getitem__)) if mood else Sentiment.NEUTRAL,
            sentiment_value=mood.get(Sentiment.POSITIVE, 0.0) - mood.get(Sentiment.NEGATIVE, 0.0),
            urgency_scores={Urgency(label): score for label, score in of("urgency").items()},
        )


def train_heads(encoding: Encoding, examples: Sequence[Example]) -> TriageHeads:
    """Train all heads on labelled sentences; `encoding` holds their vectors, in the same order."""
    fits = fit_heads(encoding, tasks_of(examples))
    about = {
        "format": FORMAT,
        "sentences": len(examples),
        "calibration_error": {name: round(each.calibration_error, 4) for name, each in fits.items()},
    }
    return TriageHeads({name: each.linear for name, each in fits.items()}, about)


def fit_heads(encoding: Encoding, tasks: Mapping[str, Task]) -> dict[str, Fit]:
    """Return the classifier of each head, with what it says of each sentence while that is held back."""
    if SENTIMENT in tasks and encoding.fresh.mean() < 0.5:
        tasks = {**tasks, SENTIMENT: replace(tasks[SENTIMENT], strength=_TUNED_MOOD / len(encoding))}
    space = Space.of(tone(encoding), kept=KEPT)
    spaces = {SENTIMENT: space.beside(Space.of(mood_of_words(encoding.texts), weight=WORDS_WEIGHT))}
    return fit_all({name: (spaces.get(name, space), task) for name, task in tasks.items()}, encoding.fresh)


def tasks_of(examples: Sequence[Example]) -> dict[str, Task]:
    """Return what each head learns; a head that has nothing to tell apart is left out."""
    tasks: dict[str, Task] = {}

    def each(name: str, values: Sequence[Sequence[str]], possible: Sequence[str], told: Sequence[bool]) -> None:
        labels = tuple(
            label
            for label in possible
            if FEWEST <= sum(label in value for value, use in zip(values, told, strict=True) if use) < sum(told)
        )
        if labels:
            known = np.repeat(np.array(told, np.float32)[:, None], len(labels), axis=1)
            tasks[name] = Task(labels, many_hot(values, labels), False, _STRENGTH[name] / len(examples), known)

    def one(name: str, values: Sequence[str], possible: Sequence[str]) -> None:
        labels = tuple(label for label in possible if label in values)
        if len(labels) > 1:
            tasks[name] = Task(labels, one_hot(values, labels), True, _STRENGTH[name] / len(examples))

    everywhere = [True] * len(examples)
    each("complaint", [("complaint",) if example.complaint else () for example in examples], ("complaint",), everywhere)
    one("severity", [example.severity for example in examples], list(Severity))
    one(SENTIMENT, [example.sentiment for example in examples], _SENTIMENTS)
    each("category", [example.category for example in examples], list(Category), [bool(e.category) for e in examples])
    each("remedy", [example.remedy for example in examples], list(Remedy), everywhere)
    each("urgency", [example.urgency for example in examples], list(Urgency), everywhere)
    return tasks


def _severity(scores: Mapping[Severity, float]) -> Severity:
    """Return the severity of a complaint."""
    reproaches = {label: score for label, score in scores.items() if label is not Severity.NONE}
    if not reproaches or scores.get(Severity.NONE, 0.0) >= NO_REPROACH:
        return Severity.NONE
    return max(reproaches, key=reproaches.__getitem__)


def _named(scores: Mapping[str, float], at_least_one: bool = False) -> list[str]:
    """Return the labels that are probable enough, the most probable first."""
    order = sorted(scores, key=lambda label: -scores[label])
    named = [label for label in order if scores[label] >= LABEL_THRESHOLD]
    return named or (order[:1] if at_least_one else [])
