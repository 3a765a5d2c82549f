"""The golden tests: messages with the labels that a model should give them, one column for each head.

`nlu_data/golden/intents.yml`, `triage.yml` and `entities.yml`; what a file does not label is not measured.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Entity, Triage
from bot.nlu.intents import OUT_OF_SCOPE
from bot.nlu.skill import FALLBACK
from bot.yaml_loader import read_yaml

ENTITIES_FILE = "entities.yml"
FILES = ("intents.yml", "triage.yml", ENTITIES_FILE)
UNKNOWN = "not understood"
"""What an intent is called that the assistant does not have, and an answer that it does not give."""
COMPLAINT, NO_COMPLAINT = "complaint", "no complaint"
ENTITIES = "entities"
TRIAGE_HEADS = ("complaint", "severity", "sentiment", "category", "remedy", "urgency")

Labels = Counter[str]


class Span(NamedTuple):
    """An entity that a message has; `start` and `end` count characters, `value` is None where it is not measured."""

    kind: str
    start: int
    end: int
    value: str | None


@dataclass(frozen=True)
class Golden:
    """The golden tests of a folder. `heads` names, for each head, its file and what each message of it should be."""

    texts: Mapping[str, Sequence[str]]
    heads: Mapping[str, tuple[str, Sequence[Labels]]]
    entities: Sequence[Sequence[Span]]
    today: date
    digest: str


def read_golden(folder: Path) -> Golden:
    """Return the golden tests of a folder.

    Raises:
        ConfigError: there are none, or a file is not as it should be.
    """
    found = {name: file for name in FILES if (file := folder / name).exists()}
    if not found:
        raise ConfigError(f"there are no golden tests in {folder}: none of {', '.join(FILES)}")
    digest = hashlib.sha256()
    texts: dict[str, Sequence[str]] = {}
    heads: dict[str, tuple[str, Sequence[Labels]]] = {}
    entities: list[list[Span]] = []
    today = datetime.now(UTC).date()
    for name, file in found.items():
        content = _read(file)
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
        try:
            match name:
                case "intents.yml":
                    rows = [(str(text), str(each["intent"])) for each in content["messages"] for text in each["texts"]]
                    texts[name] = [text for text, _ in rows]
                    heads["intents"] = (name, [Labels([_known(intent)]) for _, intent in rows])
                case "triage.yml":
                    messages = [{**(content.get("defaults") or {}), **each} for each in content["messages"]]
                    texts[name] = [str(each["text"]) for each in messages]
                    for head in TRIAGE_HEADS:
                        if messages and all(head in each for each in messages):
                            heads[head] = (name, [Labels(_labels(each[head])) for each in messages])
                case _:
                    today = content.get("reference_date", today)
                    texts[name] = [str(each["text"]) for each in content["messages"]]
                    entities = [_located(str(each["text"]), each.get("entities") or []) for each in content["messages"]]
                    heads[ENTITIES] = (name, [Labels(span.kind for span in each) for each in entities])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{file} is not as it should be: {type(error).__name__} {error}") from error
    return Golden(texts, heads, entities, today, digest.hexdigest()[:16])


def said_of(head: str, triage: Triage, complaint_from: float) -> Labels:
    """Return the labels that a triage gives for a head; for entities, the kinds of what was found."""
    match head:
        case "intents":
            return Labels([_known(triage.intent)])
        case "complaint":
            return Labels([_complaint(triage.complaint >= complaint_from)])
        case "severity":
            return Labels([triage.severity])
        case "sentiment":
            return Labels([triage.sentiment])
        case "category":
            return Labels(triage.categories)
        case "remedy":
            return Labels(triage.remedies)
        case "urgency":
            return Labels(triage.urgency)
    return Labels(entity.kind for entity in triage.entities)


def certainty_of(head: str, triage: Triage, wanted: Labels) -> tuple[float, bool] | None:
    """Return the probability that a triage gives for a head, and whether what it is given for is right.

    None where a head tells no probability. For intents it is that of the best one, before any threshold.
    """
    match head:
        case "intents" if triage.ranking:
            best = triage.ranking[0]
            return best.confidence, _known(best.name) in wanted
        case "complaint":
            return triage.complaint, COMPLAINT in wanted
        case "severity" if triage.severity_scores:
            level, score = max(triage.severity_scores.items(), key=lambda item: item[1])
            return score, level in wanted
    return None


def right_entities(found: Iterable[Entity], wanted: Sequence[Span]) -> list[Entity]:
    """Return those of the found entities that are as they should be, value included where one is given."""
    return [
        one for one in found if any(Span(one.kind, one.start, one.end, value) in wanted for value in (one.value, None))
    ]


def _located(text: str, entities: Iterable[Mapping[str, str]]) -> list[Span]:
    spans, end = [], 0
    for each in entities:
        start = text.find(each["text"], end)
        if start < 0:
            raise ValueError(f"{each['text']!r} does not come, or not in this order, in {text!r}")
        end = start + len(each["text"])
        spans.append(Span(each["kind"], start, end, each.get("value")))
    return spans


def _known(intent: str) -> str:
    return UNKNOWN if intent in (FALLBACK, OUT_OF_SCOPE) else intent


def _complaint(value: bool) -> str:
    return COMPLAINT if value else NO_COMPLAINT


def _labels(value: Any) -> Iterable[str]:
    match value:
        case bool():
            return [_complaint(value)]
        case None:
            return []
        case str():
            return [value]
    return [str(each) for each in value]


def _read(file: Path) -> Any:
    try:
        return read_yaml(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
