"""What the assistant learns from and is measured with, each thing with its place: the folder `nlu_data`, read as people
see it. Training itself reads the same files through Rasa and `bot.nlu.triage_data`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.conversation.errors import BadInput, ConfigError
from bot.conversation.triage import Severity
from bot.learning.documents import Document
from bot.learning.likeness import normalised
from bot.learning.problems import Place
from bot.learning.voice import Voice
from bot.nlu.triage_data import Example

GOLDEN = "golden"
GOLDEN_INTENTS = f"{GOLDEN}/intents.yml"
GOLDEN_TRIAGE = f"{GOLDEN}/triage.yml"
TITLES = "titles.yml"
TITLES_RESPONSE = "utter_titles"
TRIAGE = "triage"
ANSWERED = ("faq", "chitchat")
"""Intents whose answers stand beside their examples; the other intents have rules in rules.yml."""

MARKS = re.compile(r"\[([^]]+)][({][^)}]*[)}]")
"""How Rasa's files mark an entity in an example."""
_BULLET = re.compile(r"\s*-\s+(.*\S)\s*")


@dataclass(frozen=True)
class Phrase:
    """A sentence with its intent, without marks of entities."""

    text: str
    intent: str
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """Something that the assistant can say; `name` is the response's, such as `utter_faq/delivery_time`."""

    name: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Title:
    """What an intent is called on a button."""

    text: str
    place: Place


@dataclass(frozen=True)
class Labelled:
    """A sentence with its triage labels."""

    example: Example
    place: Place

    @property
    def text(self) -> str:
        """What it says."""
        return self.example.text

    @property
    def labels(self) -> Example:
        """Its labels alone, to compare."""
        return self.example.model_copy(update={"text": ""})


@dataclass(frozen=True)
class TrainingData:
    """All of it; `documents` are the files it was read from, `titles` are by intent."""

    folder: Path
    documents: Mapping[Path, Document]
    phrases: tuple[Phrase, ...]
    answers: tuple[Answer, ...]
    titles: Mapping[str, Title]
    triage: tuple[Labelled, ...]
    golden_phrases: tuple[Phrase, ...]
    golden_triage: tuple[Labelled, ...]
    voice: Voice = field(default_factory=Voice)

    @cached_property
    def intents(self) -> frozenset[str]:
        """The names of all intents that have examples."""
        return frozenset(phrase.intent for phrase in self.phrases)


def key(text: str) -> str:
    """Return what is the same for texts that differ only in case and punctuation; signs alone stand for themselves."""
    return normalised(text) or text.strip()


def read_training_data(folder: Path) -> TrainingData:
    """Return the training data in a folder.

    Raises:
        ConfigError: a file is not as it should be; the text says which and where.
    """
    if not folder.is_dir():
        raise ConfigError(f"assistant.data: there is no folder {folder}")
    try:
        documents = {file: Document.read(file) for file in sorted(folder.rglob("*.yml"))}
        return training_data_of(folder, documents)
    except BadInput as error:
        raise ConfigError(str(error)) from error


def training_data_of(folder: Path, documents: Mapping[Path, Document]) -> TrainingData:
    """Return the training data of files that are read already.

    Raises:
        BadInput: a file is not as it should be; the text says which and where.
    """
    trained = [one for file, one in documents.items() if GOLDEN not in file.relative_to(folder).parts]
    golden_intents, golden_triage = documents.get(folder / GOLDEN_INTENTS), documents.get(folder / GOLDEN_TRIAGE)
    return TrainingData(
        folder=folder,
        documents=documents,
        phrases=tuple(phrase for one in trained for phrase in _phrases(one)),
        answers=tuple(answer for one in trained for answer in _answers(one)),
        titles=_titles(documents.get(folder / TITLES)),
        triage=tuple(sentence for one in trained if one.file.parent == folder / TRIAGE for sentence in _labelled(one)),
        golden_phrases=tuple(_golden_phrases(golden_intents)) if golden_intents else (),
        golden_triage=tuple(_labelled(golden_triage)) if golden_triage else (),
        voice=Voice.read(documents.get(folder / Voice.FILE)),
    )


def _phrases(document: Document) -> Iterator[Phrase]:
    for number, item in enumerate(_list(document, "nlu")):
        if not isinstance(item, dict) or "intent" not in item:
            continue
        first = document.line("nlu", number, "examples") + 1
        for offset, line in enumerate(str(item.get("examples") or "").split("\n")):
            found = _BULLET.fullmatch(line)
            if found:
                text = MARKS.sub(r"\1", found[1])
                yield Phrase(text, str(item["intent"]), Place(document.file, first + offset))


def _answers(document: Document) -> Iterator[Answer]:
    responses = _mapping(document.value).get("responses")
    for name, variants in _mapping(responses).items():
        for number, variant in enumerate(variants if isinstance(variants, list) else []):
            if isinstance(variant, dict) and "text" in variant:
                place = Place(document.file, document.line("responses", name, number, "text"))
                yield Answer(str(name), str(variant["text"]), place)


def _titles(document: Document | None) -> dict[str, Title]:
    if document is None:
        return {}
    found: dict[str, Title] = {}
    variants = _mapping(_mapping(document.value).get("responses")).get(TITLES_RESPONSE) or []
    for number, variant in enumerate(variants):
        for intent, text in _mapping(_mapping(variant).get("custom")).items():
            line = document.line("responses", TITLES_RESPONSE, number, "custom", intent)
            found[str(intent)] = Title(str(text), Place(document.file, line))
    return found


def _labelled(document: Document) -> Iterator[Labelled]:
    defaults = _mapping(_mapping(document.value).get("defaults"))
    for number, message in enumerate(_list(document, "messages")):
        place = Place(document.file, document.line("messages", number))
        try:
            yield Labelled(Example.model_validate({**defaults, **_mapping(message)}), place)
        except ValidationError as error:
            raise BadInput(f"{place}: {'; '.join(told for _, told in faults(error))}") from error


def _golden_phrases(document: Document) -> Iterator[Phrase]:
    for number, item in enumerate(_list(document, "messages")):
        for place, text in enumerate(_mapping(item).get("texts") or []):
            line = document.line("messages", number, "texts", place)
            yield Phrase(str(text), str(item["intent"]), Place(document.file, line))


def contradictions(example: Example) -> list[str]:
    """Return which labels of a sentence can't be true together, in words."""
    found = [
        (example.complaint and not example.category, "a complaint is about something: give it a category"),
        (not example.complaint and example.severity is not Severity.NONE, "only complaints have a severity"),
        (not example.text.strip(), "there is no text"),
    ]
    found += [
        (len(values) != len(set(values)), f"{name} names something twice")
        for name, values in (("category", example.category), ("remedy", example.remedy), ("urgency", example.urgency))
    ]
    return [told for wrong, told in found if wrong]


def faults(error: ValidationError) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """Return the path and the text of each fault that pydantic found."""
    for each in error.errors(include_url=False, include_input=False):
        path = tuple(each["loc"])
        names = ".".join(str(part) for part in path if isinstance(part, str))
        told = "it is not written as it should be" if each["type"] == "model_type" else each["msg"]
        yield path, f"{names}: {told}" if names else told


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(document: Document, name: str) -> list[Any]:
    found = _mapping(document.value).get(name)
    return found if isinstance(found, list) else []
