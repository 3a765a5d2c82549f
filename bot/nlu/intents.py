"""Which intent a message has, and whether it has any of those that the assistant knows."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.conversation.errors import ConfigError
from bot.nlu.encoder import Encoding
from bot.nlu.features import topic
from bot.nlu.fitting import Fit, Space, Task, fit, folds, one_hot, platt
from bot.nlu.linear import Floats, Linear, load_linears, log_sum_exp, save_linears, to_probabilities
from bot.nlu.nearest import Nearest

FORMAT = 5
"""Changes with what a head sees of a text: one that learnt to see something else is refused."""
NAME = "intents"
OUT_OF_SCOPE = "out_of_scope"
"""The intent whose examples stand for what the assistant does not know; it may be absent."""

RANKING = 10

_STRENGTH = 30.0
"""Inverse L2 penalty. Source: best of 1 to 1000 on BANKING77 with ten examples an intent (85.4 %)."""
_IN_SCOPE_KEPT = 0.95
"""Without examples of `out_of_scope`: the share of held-back examples that score below a half."""


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Taught:
    """What was written of intents: pairs of a text and a full intent, such as `greet` or `faq/delivery_time`.

    `hints` are no messages, so nothing is measured on them: the sentences of an intent's answer, or else the words of
    its name. Of an answer with variants, which are said for a change, the name tells more: jokes are about anything.
    Source: golden messages in scope 87.5 % without and 88.1 % with them (88.4 with jokes); with five examples for each
    intent 62 and 68 % (whole answers 67 %); BANKING77, which has only names, with ten examples 86.0 and 86.4 %, with
    five 80.3 and 81.4 %.
    """

    examples: Sequence[tuple[str, str]]
    hints: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, examples: Sequence[tuple[str, str]], answers: Mapping[str, Sequence[str]]) -> "Taught":
        """Return examples, and what the answers, by full intent, say of those that have examples."""
        hints = []
        for name in sorted({name for _, name in examples} - {OUT_OF_SCOPE}):
            always = answers.get(name, ()) if len(answers.get(name, ())) == 1 else ()
            said = [part for text in always for part in _SENTENCE_END.split(text) if part.strip()]
            hints += [(text, name) for text in dict.fromkeys(said or [name.rpartition("/")[2].replace("_", " ")])]
        return cls(examples, hints)

    @property
    def texts(self) -> list[str]:
        """All texts, the examples first."""
        return [text for text, _ in (*self.examples, *self.hints)]

    @property
    def names(self) -> list[str]:
        """The full intent of each text."""
        return [name for _, name in (*self.examples, *self.hints)]


@dataclass(frozen=True)
class IntentGuess:
    """The intents of one message, best first, with calibrated probabilities; `out_of_scope` runs from 0 to 1."""

    ranking: tuple[tuple[str, float], ...]
    out_of_scope: float

    @property
    def name(self) -> str:
        """The best intent."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """The best intent's probability."""
        return self.ranking[0][1]

    @property
    def margin(self) -> float:
        """How far the best is ahead of the second, 0 to 1."""
        return self.ranking[0][1] - (self.ranking[1][1] if len(self.ranking) > 1 else 0.0)


@dataclass(frozen=True, eq=False)
class IntentHead:
    """The trained intent classifier; `nearest` adds to the logits of `linear`.

    `slope` and `middle` turn the evidence for any known intent into `out_of_scope`.
    """

    linear: Linear
    nearest: Nearest
    slope: float
    middle: float
    about: Mapping[str, Any]

    def guess(self, encoding: Encoding) -> list[IntentGuess]:
        """Return the intents of each text of an encoding."""
        features = topic(encoding)
        logits = self.linear.logits(features) + self.nearest.evidence(features)
        probabilities = to_probabilities(logits, exclusive=True)
        strange = _out_of_scope(_evidence(logits, self.linear.labels), self.slope, self.middle)
        found = []
        for row, score in zip(probabilities, strange, strict=True):
            best = np.argsort(-row, kind="stable")[:RANKING]
            found.append(IntentGuess(tuple((self.linear.labels[i], float(row[i])) for i in best), float(score)))
        return found

    def save(self, folder: Path) -> None:
        """Write the head into a folder."""
        about = {**self.about, "slope": self.slope, "middle": self.middle}
        save_linears(folder, NAME, {"intent": self.linear}, about)
        self.nearest.save(folder)

    @classmethod
    def load(cls, folder: Path) -> "IntentHead":
        """Read what `save` wrote.

        Raises:
            ConfigError: the files are missing, damaged, or of another format.
        """
        linears, about = load_linears(folder, NAME, FORMAT)
        nearest = Nearest.load(folder)
        try:
            return cls(linears["intent"], nearest, float(about.pop("slope")), float(about.pop("middle")), about)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"the intents of the model can't be read ({error}); train again") from error


def train_intents(encoding: Encoding, taught: Taught) -> IntentHead:
    """Train the head; `encoding` holds the vectors of all that was taught, in the same order.

    Raises:
        ConfigError: there are not two intents to tell apart.
    """
    found, nearest = fit_intents(encoding, taught)
    names = [name for _, name in taught.examples]
    held_back = found.held_back[: len(names)]
    slope, middle = _scope(held_back, found.linear.labels, names)
    right = np.array(names) == np.array(found.linear.labels)[held_back.argmax(axis=1)]
    about = {
        "format": FORMAT,
        "examples": len(names),
        "fewest": min(Counter(names).values()),
        "held_back_accuracy": round(float(right.mean()), 4),
        "calibration_error": round(found.calibration_error, 4),
    }
    return IntentHead(found.linear, nearest, slope, middle, about)


def fit_intents(encoding: Encoding, taught: Taught) -> tuple[Fit, Nearest]:
    """Return both classifiers of the head; the first has what they say together of each text held back.

    Raises:
        ConfigError: there are not two intents to tell apart.
    """
    names = taught.names
    labels = tuple(sorted(set(names)))
    if len(labels) < 2:
        raise ConfigError("training: examples of two intents are needed at least")
    features, targets = topic(encoding), one_hot(names, labels)
    nearest = Nearest.of(features, targets)
    task = Task(labels, targets, True, _STRENGTH, added=nearest.held_back(folds(targets)))
    found = fit(Space.of(features, standardise=False), task, judged=np.arange(len(taught.examples)))
    return found, replace(nearest, weight=nearest.weight * float(found.scale[0]))


def _evidence(logits: Floats, labels: Sequence[str]) -> Floats:
    """Return the evidence for any known intent: the log-sum-exp of their logits, less a part of the one for none.

    Source: measured on CLINC150, AUROC and share of the unknown that is found where 90 % of the known are kept. Before
    the nearest examples spoke, without examples of `out_of_scope`: log-sum-exp 0.979 and 95 %, largest probability
    0.950. With 100 of them: probability of that intent 0.971 and 92 %, log-sum-exp of the others 0.979 and 96 %, less a
    quarter of its logit 0.987 and 98 %; with the nearest examples 0.990 and 98 %.
    """
    known = [place for place, label in enumerate(labels) if label != OUT_OF_SCOPE]
    unknown = [place for place, label in enumerate(labels) if label == OUT_OF_SCOPE]
    evidence = log_sum_exp(logits[:, known])
    return evidence - 0.25 * logits[:, unknown[0]] if unknown else evidence


def _out_of_scope(evidence: Floats, slope: float, middle: float) -> Floats:
    return to_probabilities((middle - evidence)[:, None] * slope, exclusive=False)[:, 0]


def _scope(held_back: Floats, labels: Sequence[str], names: Sequence[str]) -> tuple[float, float]:
    """Return the slope and the middle of the curve from evidence to `out_of_scope`, from held-back logits.

    Known and unknown examples weigh the same, so that 0.5 is where both are as likely.
    """
    evidence = _evidence(held_back, labels)
    strange = np.array([name == OUT_OF_SCOPE for name in names])
    if strange.any():
        weights = np.where(strange, 0.5 / strange.sum(), 0.5 / (~strange).sum()) * len(names)
        slope, shift = platt(-evidence, strange.astype(np.float64), weights)
        return slope, shift / slope
    return 2.0 / (float(np.std(evidence)) or 1.0), float(np.quantile(evidence, 1 - _IN_SCOPE_KEPT))
