"""The whole triage of messages, outside of any framework: one encoding, every head."""

import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bot.conversation.errors import ConfigError
from bot.conversation.explanation import Explanation
from bot.conversation.triage import Entity, Guess, Triage, Urgency
from bot.nlu.encoder import CARRIED, Encoder, carried_encoder, configured_encoder
from bot.nlu.entities import EntityFinder
from bot.nlu.explanation import explain
from bot.nlu.heads import COMPLAINT_THRESHOLD, Judgement, TriageHeads
from bot.nlu.intents import IntentGuess, IntentHead
from bot.nlu.language import language_of
from bot.nlu.personal_data import PersonalDataFinder
from bot.nlu.text import prepare
from bot.nlu.urgency import UrgencyPhrases

FALLBACK = "nlu_fallback"
COMPONENTS = ("EntityPatterns", "IntentClassifier", "TriageClassifier")
"""The classes of `bot.nlu.components`, as a model names them."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Operating points of the heads, all 0 to 1; set in config.yml.

    A message has no known intent if the best is less probable than `intent`, or `out_of_scope` is exceeded, or the
    best is not ahead of the second by `margin`. `urgency` is for the head; phrases count always.

    Source: nlu_data/golden. The three for intents answer 85 % of the questions that can be answered, 93 % of those
    rightly, and 16 % of those that can't, most of them next to a known topic. Urgency: precision 0.86, recall 0.53.
    """

    intent: float = 0.4
    margin: float = 0.1
    out_of_scope: float = 0.2
    complaint: float = COMPLAINT_THRESHOLD
    urgency: float = 0.4

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Thresholds":
        """Return those that a component's settings name; the rest have their defaults.

        Raises:
            ConfigError: one is not between 0 and 1.
        """
        given = {name: config[key] for name, key in _SETTINGS.items() if key in config}
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"config.yml: {_SETTINGS[name]} must be between 0 and 1, not {value!r}")
        return cls(**given)


_SETTINGS = {"intent": "threshold", **{name: name for name in ("margin", "out_of_scope", "complaint", "urgency")}}
_DEFAULTS = Thresholds()


def intent_of(guess: IntentGuess, thresholds: Thresholds) -> str:
    """Return the intent of a guess, or `nlu_fallback` if none is sure enough."""
    sure = (
        guess.confidence >= thresholds.intent
        and guess.margin >= thresholds.margin
        and guess.out_of_scope <= thresholds.out_of_scope
    )
    return guess.name if sure else FALLBACK


def signals_of(judgement: Judgement, phrases: Sequence[Urgency], threshold: float) -> tuple[Urgency, ...]:
    """Return the urgency signals that phrases or the head give, in the order of `Urgency`."""
    scores = judgement.urgency_scores
    return tuple(one for one in Urgency if one in phrases or scores.get(one, 0.0) >= threshold)


class Skill:
    """Every head over one encoder. Safe to use from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        intents: IntentHead,
        heads: TriageHeads,
        patterns: Path,
        thresholds: Thresholds = _DEFAULTS,
        model: str = "",
    ) -> None:
        """Put the heads together; `patterns` is a folder like `nlu_data/entities`, `model` is told in each triage."""
        self._encoder = encoder
        self._intents = intents
        self._heads = heads
        self._entities = EntityFinder(patterns)
        self._urgency = UrgencyPhrases(patterns)
        self._personal = PersonalDataFinder()
        self._thresholds = thresholds
        self._model = model

    @property
    def thresholds(self) -> Thresholds:
        """The operating points of the heads."""
        return self._thresholds

    def triage(self, texts: Sequence[str], today: date) -> list[Triage]:
        """Return the triage of each text; relative dates count from `today`."""
        encoding = self._encoder.encode([prepare(text) for text in texts])
        guesses = self._intents.guess(encoding)
        judgements = self._heads.judge(encoding, self._thresholds.complaint)
        return [self._one(*row, today) for row in zip(texts, guesses, judgements, strict=True)]

    def explain(self, text: str) -> Explanation:
        """Return which words of a text carried its complaint and its mood."""
        return explain(text, self._encoder, self._heads)

    def _one(self, text: str, guess: IntentGuess, judgement: Judgement, today: date) -> Triage:
        entities = self._entities.find(text, today)
        return triage_of(
            intent_of(guess, self._thresholds),
            guess,
            judgement,
            signals_of(judgement, self._urgency.find(text), self._thresholds.urgency),
            entities,
            self._personal.kinds(text, tuple(entity.kind for entity in entities)),
            language_of(text),
            self._model,
        )


def load_skill(model: Path) -> Skill:
    """Return the whole triage of a trained assistant, read from its file without Rasa.

    Raises:
        ConfigError: the file can't be read, holds no triage, or was made with another encoder.
    """
    with tempfile.TemporaryDirectory(prefix="skill-") as scratch:
        try:
            with tarfile.open(model) as archive:
                # Python before 3.11.4 has no filter; Rasa, which serves the same file, uses none at all.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(scratch)  # noqa: S202
            nodes = json.loads((Path(scratch) / "metadata.json").read_text(encoding="utf-8"))["predict_schema"]["nodes"]
        except (OSError, tarfile.TarError, EOFError, ValueError, KeyError) as error:
            raise ConfigError(f"the model {model} can't be read: {error}. Train again: frontdesk train") from error
        known = {node["uses"].rpartition(".")[2]: node for node in nodes.values()}
        try:
            patterns, intents, heads = (known[name] for name in COMPONENTS)
        except KeyError as error:
            raise ConfigError(f"the model {model} has no component {error}; see the pipeline in config.yml") from error
        components = Path(scratch) / "components"
        folders = [components / node["resource"]["name"] for node in (patterns, intents, heads)]
        if (components / CARRIED).is_dir():
            encoder = carried_encoder(components / CARRIED)
        else:
            encoder = configured_encoder(intents["config"])
        intent_head, triage_heads = IntentHead.load(folders[1]), TriageHeads.load(folders[2])
        for about in (intent_head.about, triage_heads.about):
            check_encoder(about, encoder)
        thresholds = Thresholds.of({**intents["config"], **heads["config"]})
        return Skill(encoder, intent_head, triage_heads, folders[0], thresholds, model.name.split(".")[0])


def check_encoder(about: Mapping[str, Any], encoder: Encoder) -> None:
    """Refuse heads that were trained over another encoder.

    Raises:
        ConfigError: they were.
    """
    if about.get("encoder") != encoder.fingerprint():
        raise ConfigError("the model was trained with another encoder; train again: frontdesk train")


def triage_of(
    intent: str,
    guess: IntentGuess | None,
    judgement: Judgement,
    urgency: tuple[Urgency, ...],
    entities: tuple[Entity, ...] = (),
    personal_data: tuple[str, ...] = (),
    language: str | None = None,
    model: str = "",
) -> Triage:
    """Return the triage that one message's results make."""
    return Triage(
        intent=intent,
        confidence=round(guess.confidence, 4) if guess else 1.0,
        ranking=tuple(Guess(name=name, confidence=round(score, 4)) for name, score in guess.ranking) if guess else (),
        out_of_scope=round(guess.out_of_scope, 4) if guess else 0.0,
        complaint=round(judgement.complaint, 4),
        severity=judgement.severity,
        severity_scores={name: round(score, 4) for name, score in judgement.severity_scores.items()},
        categories=judgement.categories,
        remedies=judgement.remedies,
        sentiment=judgement.sentiment,
        sentiment_value=round(judgement.sentiment_value, 4),
        urgency=urgency,
        entities=entities,
        personal_data=personal_data,
        language=language,
        model=model,
    )
