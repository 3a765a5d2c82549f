"""The data that the assistant learns from and is measured with. Needs no model, server or network."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.conversation.triage import Category, Remedy, Sentiment, Severity, Urgency
from bot.learning.documents import Document
from bot.learning.likeness import alike, normalised, tokens
from bot.learning.voice import Voice
from tests.running import ROOT

DATA = ROOT / "nlu_data"
LEAST_QUESTIONS = 60
LEAST_EXAMPLES = 12
LEAST_GOLDEN_MESSAGES = 3
ENTITY_KINDS = {"order_number", "amount", "date", "email", "phone", "product", "store"}
LABELS = {
    "severity": set(Severity),
    "sentiment": set(Sentiment),
    "category": set(Category),
    "remedy": set(Remedy),
    "urgency": set(Urgency),
}
ONE_VALUE = {"severity", "sentiment"}


def read(file: Path) -> Any:
    """Return what a YAML file holds; both loaders are safe, the C one is ten times faster."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def files(*, golden: bool) -> list[Path]:
    return [file for file in sorted(DATA.rglob("*.yml")) if ("golden" in file.relative_to(DATA).parts) is golden]


@functools.cache
def examples() -> dict[str, list[str]]:
    """Return the training phrases of each intent, without entity marks."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in [*(DATA / "faq").glob("*.yml"), DATA / "chitchat.yml", DATA / "conversation.yml"]:
        for item in read(file)["nlu"]:
            if "intent" in item:
                lines = (line.strip() for line in item["examples"].splitlines() if line.strip())
                phrases = [line.removeprefix("- ") for line in lines]
                found[item["intent"]] += [re.sub(r"\[([^]]+)][({][^)}]*[)}]", r"\1", phrase) for phrase in phrases]
    return dict(found)


@functools.cache
def responses() -> dict[str, list[dict[str, Any]]]:
    """Return all that the assistant can say, by the name of the response."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in [ROOT / "domain.yml", *files(golden=False)]:
        found.update(read(file).get("responses") or {})
    return found


def answers() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of everything that a customer reads."""
    for name, variants in responses().items():
        for variant in variants:
            if "text" in variant:
                yield name, variant["text"]


def questions(*groups: str) -> list[str]:
    return [intent for intent in examples() if intent.partition("/")[0] in groups and "/" in intent]


@functools.cache
def triage_sentences() -> list[tuple[str, dict[str, Any]]]:
    """Return the place and the labels of each triage sentence."""
    found = []
    for file in sorted((DATA / "triage").glob("*.yml")):
        content = read(file)
        for message in content["messages"]:
            found.append((f"{file.name}: {message['text']}", {**(content.get("defaults") or {}), **message}))
    return found


@functools.cache
def golden(name: str) -> dict[str, Any]:
    return read(DATA / "golden" / f"{name}.yml")


def golden_intents() -> list[tuple[str, str]]:
    return [(item["intent"], text) for item in golden("intents")["messages"] for text in item["texts"]]


def values(label: Any) -> list[str]:
    if label is None:
        return []
    return label if isinstance(label, list) else [label]


@pytest.mark.parametrize("file", files(golden=False) + files(golden=True), ids=lambda file: str(file.relative_to(DATA)))
def test_a_file_is_yaml_and_holds_something(file: Path) -> None:
    assert isinstance(read(file), dict)


def test_there_are_enough_questions_each_with_examples_and_an_answer() -> None:
    assert len(questions("faq")) >= LEAST_QUESTIONS
    for intent in questions("faq", "chitchat"):
        assert len(examples()[intent]) >= LEAST_EXAMPLES, f"{intent} has too few examples"
        assert responses().get(f"utter_{intent}"), f"{intent} has no answer"


def test_every_answer_belongs_to_a_question() -> None:
    named = {name.removeprefix("utter_") for name in responses() if "/" in name}
    assert named == set(questions("faq", "chitchat"))


def test_no_phrase_is_given_twice_or_under_two_intents() -> None:
    seen: dict[str, str] = {}
    twice = []
    for intent, phrases in examples().items():
        for phrase in phrases:
            key = normalised(phrase) or phrase  # of nothing but signs
            if key in seen:
                twice.append((phrase, seen[key], intent))
            seen[key] = intent
    assert not twice


def test_every_question_has_a_title_for_its_button() -> None:
    titles = next(item["custom"] for item in responses()["utter_titles"])
    assert set(titles) == set(questions("faq", "chitchat"))
    assert all(0 < len(title) <= 36 for title in titles.values())
    assert len(set(titles.values())) == len(titles)


def test_answers_keep_to_the_voice() -> None:
    voice = Voice.read(Document.read(DATA / Voice.FILE))
    assert voice.sites
    for name, text in answers():
        assert not voice.faults(text), name


def test_triage_sentences_have_only_known_labels() -> None:
    for place, labels in triage_sentences():
        check_triage_labels(place, labels)


def check_triage_labels(place: str, labels: dict[str, Any]) -> None:
    assert set(labels) <= {"text", "complaint", *LABELS}, place
    assert isinstance(labels["text"], str), place
    assert labels["text"].strip(), place
    assert isinstance(labels["complaint"], bool), place
    for name, allowed in LABELS.items():
        given = values(labels.get(name))
        assert set(given) <= allowed, f"{place}: {name} {given}"
        assert len(given) == len(set(given)), f"{place}: {name} {given}"
        assert name not in ONE_VALUE or len(given) == 1, f"{place}: {name} {given}"
    if labels["complaint"]:
        assert values(labels.get("category")), f"{place}: a complaint is about something"
    else:
        assert labels["severity"] == Severity.NONE, f"{place}: only complaints have a severity"


def test_triage_sentences_are_not_nearly_the_same() -> None:
    assert not list(alike([labels["text"] for _, labels in triage_sentences()], least=0.7501))


def test_golden_messages_cover_every_intent() -> None:
    counts: dict[str, int] = defaultdict(int)
    for intent, _ in golden_intents():
        counts[intent] += 1
    assert set(counts) == set(examples())
    assert min(counts.values()) >= LEAST_GOLDEN_MESSAGES
    texts = [normalised(text) for _, text in golden_intents()]
    assert len(texts) == len(set(texts))


def test_golden_intent_messages_are_not_in_the_training_data() -> None:
    phrases = [phrase for group in examples().values() for phrase in group]
    assert not list(alike([text for _, text in golden_intents()], phrases, least=0.8))


def test_golden_triage_messages_are_valid_and_not_in_the_training_data() -> None:
    messages = golden("triage")["messages"]
    for labels in messages:
        check_triage_labels(labels["text"], labels)
    texts = [labels["text"] for labels in messages]
    assert len(texts) >= 300
    assert 0.4 <= sum(labels["complaint"] for labels in messages) / len(messages) <= 0.5
    assert not list(alike(texts, [labels["text"] for _, labels in triage_sentences()], least=0.8))
    assert not list(alike(texts, least=0.8))


def test_golden_entities_stand_in_their_messages() -> None:
    assert isinstance(golden("entities")["reference_date"], date)
    messages = golden("entities")["messages"]
    assert len(messages) >= 300
    assert sum(not message["entities"] for message in messages) >= 60
    assert {entity["kind"] for message in messages for entity in message["entities"]} == ENTITY_KINDS
    for message in messages:
        end = 0
        for entity in message["entities"]:
            start = message["text"].find(entity["text"], end)
            assert start >= 0, f"{entity['text']!r} isn't in {message['text']!r}, or not in its place"
            end = start + len(entity["text"])
            check_entity_value(entity)


def check_entity_value(entity: dict[str, str]) -> None:
    shapes = {
        "order_number": r"LF-\d{6}",
        "amount": r"[A-Z]{3} \d+\.\d{2}",
        "date": r"\d{4}-\d{2}-\d{2}",
        "email": r"[^@\sA-Z]+@[^@\sA-Z]+",
    }
    value = entity.get("value")
    if value is None:
        assert entity["kind"] in {"date", "phone", "product", "store"}, entity
        return
    assert re.fullmatch(shapes.get(entity["kind"], r".+"), value), entity
    if entity["kind"] == "date":
        date.fromisoformat(value)


def test_likeness_finds_what_comparing_all_pairs_finds() -> None:
    texts = [labels["text"] for _, labels in triage_sentences()[:400]] + ["parcel LATE, again!", "again parcel late"]
    sets = [tokens(text) for text in texts]
    every = {
        (texts[later], texts[earlier])
        for later in range(len(texts))
        for earlier in range(later)
        if sets[later] and len(sets[later] & sets[earlier]) / len(sets[later] | sets[earlier]) >= 0.3
    }
    assert set(alike(texts, least=0.3)) == every
    assert ("again parcel late", "parcel LATE, again!") in every
