"""The skills as components of Rasa's: they translate, and know nothing themselves.

In config.yml, in this order: `EntityPatterns`, `IntentClassifier`, `TriageClassifier`. The encoder is this process's
own and remembers its last texts, so a message is encoded once for all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Entity
from bot.nlu.encoder import CACHE, CARRIED, Encoder, carried_encoder, configured_encoder
from bot.nlu.entities import EntityFinder
from bot.nlu.heads import TriageHeads, train_heads
from bot.nlu.intents import IntentGuess, IntentHead, train_intents
from bot.nlu.language import language_of
from bot.nlu.personal_data import PersonalDataFinder
from bot.nlu.skill import Thresholds, check_encoder, intent_of, signals_of, triage_of
from bot.nlu.text import prepare as prepare_text
from bot.nlu.triage_data import data_digest, read_examples
from bot.nlu.urgency import FILE as URGENCY_FILE
from bot.nlu.urgency import UrgencyPhrases
from bot.rasa_runtime import code_digest, prepare, taught_by
from bot.whole_files import new_folder

prepare()

from rasa.engine.graph import ExecutionContext, GraphComponent  # noqa: E402
from rasa.engine.recipes.default_recipe import DefaultV1Recipe  # noqa: E402
from rasa.engine.storage.resource import Resource  # noqa: E402
from rasa.engine.storage.storage import ModelStorage  # noqa: E402
from rasa.shared.nlu.constants import (  # noqa: E402
    ENTITIES,
    INTENT,
    INTENT_RANKING_KEY,
    RESPONSE_SELECTOR,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message  # noqa: E402
from rasa.shared.nlu.training_data.training_data import TrainingData  # noqa: E402

GUESS = "intent_guess"
"""Message key: the `IntentGuess`, for the components after the classifier; not part of the result."""
TRIAGE = "triage"
"""Message key: the `Triage` as JSON values."""


class _Component(GraphComponent):
    """What the three have in common: settings, a place in the model, one encoder."""

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        unknown = sorted(set(config) - set(self.get_default_config()))
        if unknown:
            raise ConfigError(f"config.yml: {type(self).__name__} has no setting {', '.join(unknown)}")
        self._config = config
        self._thresholds = Thresholds.of(config)
        self._storage = storage
        self._resource = resource
        self._carried: Encoder | None = None

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> _Component:
        """Make one that is to be trained."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> _Component:
        """Read a trained one from a model.

        Raises:
            ConfigError: the model's files are missing, damaged, or made with another encoder.
        """
        component = cls(config, model_storage, resource)
        component._carried = _carried(model_storage)
        with model_storage.read_from(resource) as folder:
            component._read(folder)
        return component

    def _read(self, folder: Path) -> None:
        raise NotImplementedError

    def _encoder(self) -> Encoder:
        return self._carried or configured_encoder(self._config)

    def _carry(self, encoder: Encoder) -> None:
        """Put an encoder into the model that not every installation has."""
        if self._config.get("encoder"):
            with self._storage.write_to(Resource(CARRIED)) as folder:
                shutil.copytree(encoder.folder, folder, dirs_exist_ok=True)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class EntityPatterns(_Component):
    """Finds entities by the patterns of `nlu_data/entities`, which travel with the model."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings with their defaults."""
        return {"patterns": "nlu_data/entities"}

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """Let the model be made again when the patterns change."""
        return data_digest(Path(config.get("patterns", cls.get_default_config()["patterns"])))

    def train(self, training_data: TrainingData) -> Resource:
        """Check the patterns and put them into the model."""
        source = Path(self._config["patterns"])
        with self._storage.write_to(self._resource) as folder:
            for file in sorted(source.glob("*.yml")):
                shutil.copyfile(file, folder / file.name)
            self._read(folder)
        return self._resource

    def _read(self, folder: Path) -> None:
        self._finder = EntityFinder(folder)

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the entities of each message; relative dates count from the present day."""
        today = datetime.now(UTC).date()
        for message in messages:
            found = self._finder.find(message.get(TEXT) or "", today)
            entities = [*message.get(ENTITIES, []), *(_as_rasa(entity) for entity in found)]
            message.set(ENTITIES, entities, add_to_output=True)
        return messages


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifier(_Component):
    """Finds the intent, or the FAQ answer, of a message; `nlu_fallback` if none is sure enough."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings with their defaults; `Thresholds` explains them."""
        limits = Thresholds()
        return {
            "encoder": None,
            "cache": str(CACHE),
            "threshold": limits.intent,
            "margin": limits.margin,
            "out_of_scope": limits.out_of_scope,
        }

    def train(self, training_data: TrainingData) -> Resource:
        """Train on the examples and the answers of all intents."""
        taught = taught_by(training_data)
        encoder = self._encoder()
        head = train_intents(encoder.encode([prepare_text(text) for text in taught.texts], triage=False), taught)
        head = dataclasses.replace(head, about={**head.about, "encoder": encoder.fingerprint()})
        self._carry(encoder)
        with self._storage.write_to(self._resource) as folder:
            head.save(folder)
            self._read(folder)
        return self._resource

    def _read(self, folder: Path) -> None:
        self._head = IntentHead.load(folder)
        check_encoder(self._head.about, self._encoder())
        self._families = sorted({name.split("/")[0] for name in self._head.linear.labels if "/" in name})

    def process(self, messages: list[Message]) -> list[Message]:
        """Set intent, ranking and, for an intent such as `faq/delivery_time`, the answer."""
        encoding = self._encoder().encode([prepare_text(message.get(TEXT) or "") for message in messages])
        for message, guess in zip(messages, self._head.guess(encoding), strict=True):
            full = intent_of(guess, self._thresholds)
            family = full.split("/")[0]
            ranking = [{"name": name, "confidence": score} for name, score in guess.ranking]
            message.set(GUESS, guess)
            message.set(INTENT, {"name": family, "confidence": guess.confidence}, add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
            message.set(RESPONSE_SELECTOR, self._answers(full, guess), add_to_output=True)
        return messages

    def _answers(self, full: str, guess: IntentGuess) -> dict[str, Any]:
        """Return the result in the shape of Rasa's response selector."""
        family, _, _ = full.partition("/")
        answers: dict[str, Any] = {"all_retrieval_intents": self._families}
        if family in self._families:
            ranking = [
                {"intent_response_key": name, "confidence": score}
                for name, score in guess.ranking
                if name.startswith(f"{family}/")
            ]
            chosen = {"intent_response_key": full, "utter_action": f"utter_{full}", "confidence": guess.confidence}
            answers[family] = {"response": {**chosen, "responses": []}, "ranking": ranking}
        return answers


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class TriageClassifier(_Component):
    """Adds the triage of a message: complaint, severity, category, remedy, sentiment, urgency, language."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings with their defaults; `Thresholds` explains them."""
        limits = Thresholds()
        return {
            "encoder": None,
            "cache": str(CACHE),
            "sentences": "nlu_data/triage",
            "patterns": "nlu_data/entities",
            "complaint": limits.complaint,
            "urgency": limits.urgency,
        }

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """Let the heads be trained again when the sentences or the patterns change."""
        config = {**cls.get_default_config(), **config}
        return data_digest(Path(config["sentences"])) + data_digest(Path(config["patterns"]))

    def train(self, training_data: TrainingData) -> Resource:
        """Train on the labelled sentences of `nlu_data/triage`; the intents' examples play no part."""
        encoder = self._encoder()
        heads = self._learnt(encoder)
        patterns = Path(self._config["patterns"]) / URGENCY_FILE
        self._carry(encoder)
        with self._storage.write_to(self._resource) as folder:
            heads.save(folder)
            if patterns.exists():
                shutil.copyfile(patterns, folder / patterns.name)
            self._read(folder)
        return self._resource

    def _learnt(self, encoder: Encoder) -> TriageHeads:
        """Return heads that learnt the sentences: those of an earlier training, unless what they depend on differs."""
        sentences = Path(self._config["sentences"])
        basis = data_digest(sentences) + encoder.fingerprint() + code_digest()
        kept = Path(self._config["cache"]) / f"heads-{hashlib.sha256(basis.encode()).hexdigest()[:16]}"
        if kept.exists():
            try:
                return TriageHeads.load(kept)
            except ConfigError:
                shutil.rmtree(kept, ignore_errors=True)
        examples = read_examples(sentences)
        heads = train_heads(encoder.encode([prepare_text(one.text) for one in examples]), examples)
        heads = dataclasses.replace(heads, about={**heads.about, "encoder": encoder.fingerprint()})
        with suppress(OSError), new_folder(kept) as new:
            heads.save(new)
        return heads

    def _read(self, folder: Path) -> None:
        self._heads = TriageHeads.load(folder)
        check_encoder(self._heads.about, self._encoder())
        self._phrases = UrgencyPhrases(folder)
        self._personal = PersonalDataFinder()

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the triage of each message."""
        encoding = self._encoder().encode([prepare_text(message.get(TEXT) or "") for message in messages])
        judgements = self._heads.judge(encoding, self._thresholds.complaint)
        for message, judgement in zip(messages, judgements, strict=True):
            text = message.get(TEXT) or ""
            entities = tuple(_as_entity(entity) for entity in message.get(ENTITIES, []))
            triage = triage_of(
                _full_intent(message),
                message.get(GUESS),
                judgement,
                signals_of(judgement, self._phrases.find(text), self._thresholds.urgency),
                entities,
                self._personal.kinds(text, tuple(entity.kind for entity in entities)),
                language_of(text),
            )
            message.set(TRIAGE, triage.model_dump(mode="json"), add_to_output=True)
        return messages


def _carried(storage: ModelStorage) -> Encoder | None:
    """Return the encoder that a model carries; None if it was trained with the packaged one."""
    try:
        with storage.read_from(Resource(CARRIED)) as folder:
            return carried_encoder(folder)
    except ValueError:  # how Rasa says that a resource is not there
        return None


def _full_intent(message: Message) -> str:
    family = str((message.get(INTENT) or {}).get("name") or "")
    answers = (message.get(RESPONSE_SELECTOR) or {}).get(family)
    return str(answers["response"]["intent_response_key"]) if answers else family


def _as_rasa(entity: Entity) -> dict[str, Any]:
    return {
        "entity": entity.kind,
        "value": entity.value,
        "start": entity.start,
        "end": entity.end,
        "extractor": EntityPatterns.__name__,
    }


def _as_entity(entity: dict[str, Any]) -> Entity:
    return Entity(
        kind=entity["entity"],
        value=str(entity["value"]),
        start=entity.get("start") or 0,
        end=entity.get("end") or 0,
    )
