"""A tracker that is restored from the snapshot is the one that was remembered, however long ago a slot was set."""

import json
import warnings

import pytest

from bot.tracker_store import TAIL_EVENTS, after_return, remember, restore

from rasa.shared.core.domain import Domain  # isort: skip  (after Rasa was made importable)
from rasa.shared.core.events import (  # isort: skip
    ActionExecuted,
    ActiveLoop,
    BotUttered,
    SlotSet,
    UserUttered,
)
from rasa.shared.core.trackers import DialogueStateTracker  # isort: skip

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    DOMAIN = Domain.from_yaml("""
version: "3.1"
intents: [ask]
slots:
  order_number: {type: text, influence_conversation: false, mappings: [{type: custom}]}
  what_happened: {type: text, influence_conversation: false, mappings: [{type: custom}]}
  greeted: {type: bool, initial_value: false, influence_conversation: false, mappings: [{type: custom}]}
  person_was_here: {type: bool, influence_conversation: false, mappings: [{type: custom}]}
forms:
  complaint_form: {required_slots: [what_happened]}
responses:
  utter_answer: [{text: "yes"}]
""")


def turn(tracker: DialogueStateTracker, text: str) -> None:
    for event in (
        ActionExecuted("action_listen"),
        UserUttered(text, {"name": "ask"}, parse_data={"text": text, "intent": {"name": "ask"}, "big": "x" * 10_000}),
        ActionExecuted("utter_answer"),
        BotUttered("yes"),
    ):
        tracker.update(event)


@pytest.fixture
def tracker() -> DialogueStateTracker:
    return DialogueStateTracker("web:c1", DOMAIN.slots)


def test_slots_that_are_older_than_the_events_are_there_for_actions_too(tracker: DialogueStateTracker) -> None:
    tracker.update(SlotSet("order_number", "LF-1"))
    tracker.update(SlotSet("greeted", True))
    for number in range(60):
        turn(tracker, f"{number}")
        tracker = restore("web:c1", remember(tracker), DOMAIN)
        assert len(tracker.events) <= TAIL_EVENTS + 8
    copied = tracker.copy()
    assert copied.get_slot("order_number") == "LF-1"
    assert copied.get_slot("greeted") is True
    assert tracker.current_slot_values() == copied.current_slot_values()


def test_a_form_that_began_long_ago_still_runs(tracker: DialogueStateTracker) -> None:
    turn(tracker, "first")
    tracker.update(ActiveLoop("complaint_form"))
    for number in range(40):
        turn(tracker, f"{number}")
        tracker = restore("web:c1", remember(tracker), DOMAIN)
    assert tracker.active_loop_name == tracker.copy().active_loop_name == "complaint_form"


def test_the_memory_is_bounded_and_forgets_what_nobody_reads(tracker: DialogueStateTracker) -> None:
    sizes = []
    for number in range(100):
        turn(tracker, f"{number:03}")
        memory = remember(tracker)
        sizes.append(len(memory))
        tracker = restore("web:c1", memory, DOMAIN)
    assert max(sizes[50:]) < 1.1 * min(sizes[50:])
    assert max(sizes) < 20_000


def test_of_the_answers_to_a_message_only_the_chosen_one_is_remembered(tracker: DialogueStateTracker) -> None:
    chosen = {"intent_response_key": "faq/hours", "utter_action": "utter_faq/hours", "confidence": 0.9}
    answers = {"all_retrieval_intents": ["faq"], "faq": {"response": chosen, "ranking": [{"confidence": 0.9}] * 10}}
    tracker.update(UserUttered("when", {"name": "faq"}, parse_data={"text": "when", "response_selector": answers}))
    again = restore("web:c1", remember(tracker), DOMAIN)
    assert again.latest_message
    assert again.latest_message.parse_data["response_selector"] == {
        "all_retrieval_intents": ["faq"],
        "faq": {"response": chosen},
    }
    assert answers["faq"]["ranking"]


def test_any_text_and_number_is_remembered_as_it_was(tracker: DialogueStateTracker) -> None:
    for value in ("Grüße 👋 \u2028 \x00", 1e-17, 10**30, 0.1 + 0.2, [1, None, True], {"a": {"b": "c"}}):
        tracker.update(SlotSet("what_happened", value))
        memory = remember(tracker)
        assert json.loads(memory)["slots"]["what_happened"] == value
        assert restore("web:c1", memory, DOMAIN).get_slot("what_happened") == value


def test_after_a_person_the_bot_begins_afresh_and_knows(tracker: DialogueStateTracker) -> None:
    tracker.update(SlotSet("order_number", "LF-1"))
    tracker.update(SlotSet("what_happened", "it broke"))
    tracker.update(ActiveLoop("complaint_form"))
    turn(tracker, "first")
    again = restore("web:c1", after_return(remember(tracker), DOMAIN), DOMAIN)
    assert again.active_loop_name is None
    assert again.get_slot("person_was_here") is True
    assert again.get_slot("order_number") == "LF-1"
    assert again.get_slot("what_happened") is None
    assert [event for event in again.events if isinstance(event, UserUttered)] == []
    assert json.loads(after_return("", DOMAIN))["slots"] == {"person_was_here": True}
