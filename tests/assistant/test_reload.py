"""A conversation goes on when the model changes under it, whatever the new one no longer knows."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.conversation.messages import Inbound
from bot.learning.registry import How, Registry
from bot.live_assistant import LiveAssistant
from bot.rasa_runtime import load_processor, train
from bot.tracker_store import LogTrackerStore
from bot.turns import Turn

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
CONFIG = "recipe: default.v1\nassistant_id: test\nlanguage: en\npipeline: []\npolicies:\n- name: RulePolicy\n"
DOMAIN = """
version: "3.1"
intents: [greet, book]
slots:
  city:
    type: text
    mappings: [{type: from_text, conditions: [{active_loop: trip_form, requested_slot: city}]}]
  day:
    type: text
    mappings: [{type: from_text, conditions: [{active_loop: trip_form, requested_slot: day}]}]
forms:
  trip_form: {required_slots: [city, day]}
responses:
  utter_greet: [{text: "Hello."}]
  utter_ask_city: [{text: "Which city?"}]
  utter_ask_day: [{text: "Which day?"}]
  utter_booked: [{text: "Booked."}]
  utter_default: [{text: "Sorry?"}]
"""
RULES = """
version: "3.1"
rules:
- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}
- {rule: begin, steps: [{intent: book}, {action: trip_form}, {active_loop: trip_form}]}
- rule: end
  condition: [{active_loop: trip_form}]
  steps: [{action: trip_form}, {active_loop: null}, {slot_was_set: [{requested_slot: null}]}, {action: utter_booked}]
"""
WITHOUT_FORM = """
version: "3.1"
intents: [greet]
responses:
  utter_greet: [{text: "Good day."}]
  utter_default: [{text: "Sorry?"}]
"""
ONLY_GREET = 'version: "3.1"\nrules:\n- {rule: greet, steps: [{intent: greet}, {action: utter_greet}]}\n'


def model(folder: Path, name: str, domain: str, rules: str) -> Path:
    inputs = folder / name
    (inputs / "data").mkdir(parents=True)
    (inputs / "config.yml").write_text(CONFIG)
    (inputs / "domain.yml").write_text(domain)
    (inputs / "data" / "rules.yml").write_text(rules)
    return train(folder / "models", inputs / "config.yml", inputs / "domain.yml", inputs / "data")


class Customer:
    """One conversation; the memory goes from turn to turn as the worker carries it."""

    def __init__(self) -> None:
        self.memory = ""

    async def says(self, assistant: Assistant | LiveAssistant, text: str, payload: str | None = None) -> Turn:
        inbound = Inbound(channel="web", customer="c", channel_message="p", message="m", received_at=NOW, text=text)
        turn = await assistant.turn(inbound, payload, self.memory, returned=False)
        self.memory = turn.memory
        return turn


def loaded(path: Path) -> Assistant:
    return Assistant(load_processor(path, LogTrackerStore()), path.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reload")
    reworded = DOMAIN.replace("Which day?", "On which day?")
    return {
        "first": model(folder, "first", DOMAIN, RULES),
        "reworded": model(folder, "reworded", reworded, RULES),
        "without": model(folder, "without", WITHOUT_FORM, ONLY_GREET),
    }


async def test_a_form_goes_on_in_the_words_of_the_new_model(made: dict[str, Path]) -> None:
    first, second, customer = loaded(made["first"]), loaded(made["reworded"]), Customer()
    await customer.says(first, "book a trip", "/book")
    assert [reply.text for reply in (await customer.says(second, "Leeds")).replies] == ["On which day?"]
    last = await customer.says(second, "Monday")
    assert [reply.text for reply in last.replies] == ["Booked."]
    assert last.model == made["reworded"].name


async def test_a_form_that_the_new_model_does_not_have_is_left(
    made: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    first, second, customer = loaded(made["first"]), loaded(made["without"]), Customer()
    await customer.says(first, "book a trip", "/book")
    await customer.says(first, "Leeds")
    with caplog.at_level(logging.WARNING):
        assert [reply.text for reply in (await customer.says(second, "hello", "/greet")).replies] == ["Good day."]
        await customer.says(second, "book a trip", "/book")
    assert caplog.records == []
    assert [reply.text for reply in (await customer.says(first, "hello", "/greet")).replies] == ["Hello."]


async def test_the_registry_swaps_real_models_under_a_conversation(made: dict[str, Path]) -> None:
    registry = Registry(made["first"].parent)
    registry.make_live(made["first"], How.TRAINED, NOW)
    told: list[str] = []
    assistant, customer = LiveAssistant(registry, loaded, told.append), Customer()
    await customer.says(assistant, "book a trip", "/book")
    registry.make_live(made["reworded"], How.PROMOTED, NOW)
    await assistant.look()
    assert [reply.text for reply in (await customer.says(assistant, "Leeds")).replies] == ["On which day?"]
    (made["without"].parent / "broken.tar.gz").write_bytes(b"no model")
    registry.make_live(made["without"].parent / "broken.tar.gz", How.PROMOTED, NOW)
    await assistant.look()
    assert [reply.text for reply in (await customer.says(assistant, "Monday")).replies] == ["Booked."]
    assert told[0] == f"a worker answers with the model {made['reworded'].name}"
    assert told[1].startswith(f"a worker keeps the model {made['reworded'].name}: the model ")
