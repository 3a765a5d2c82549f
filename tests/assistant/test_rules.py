"""The rule policy that looks back no further than its rules decides as Rasa's own."""

import copy
import json
import random
from typing import Any

import pytest

from bot.rasa_processor import Processor
from tests.assistant.chat import Chat

# Rasa imports it, and the two above import Rasa.
from bot.rasa_rules import RulePolicy, Sight  # isort: skip

TURNS = 60
COMPLAINT = {"complaint": 0.9, "severity": "accusation", "categories": ["product"]}


@pytest.fixture
def policy(processor: Processor) -> RulePolicy:
    nodes = processor.graph_runner._nodes.values()
    return next(node._component for node in nodes if isinstance(node._component, RulePolicy))


def rule(*states: dict[str, Any]) -> str:
    return json.dumps(states)


def after_message(**user: str) -> dict[str, Any]:
    return {"prev_action": {"action_name": "action_listen"}, **({"user": user} if user else {})}


AFTER_ACTION = {"prev_action": {"action_name": "utter_hello"}}


def test_rasas_own_class_is_replaced() -> None:
    from rasa.core.policies.rule_policy import RulePolicy as Named
    from rasa.engine.recipes.default_recipe import DefaultV1Recipe

    assert Named is RulePolicy
    assert DefaultV1Recipe._from_registry("RulePolicy").clazz is RulePolicy


@pytest.mark.parametrize("seed", range(4))
async def test_a_long_conversation_is_decided_as_by_rasa(processor: Processor, policy: RulePolicy, seed: int) -> None:
    plain = copy.copy(policy)
    plain._sight = None
    chance = random.Random(seed)
    intents = [name for name in processor.domain.intents if name not in processor.domain.retrieval_intents]
    intents += [name.removeprefix("utter_") for name in processor.domain.responses if name.startswith("utter_faq/")][:5]
    intents = [name for name in intents if name not in ("restart", "back", "session_start")]
    chat = Chat(processor)
    for _ in range(TURNS):
        await chat.say("a few words", chance.choice(intents), **(COMPLAINT if chance.random() < 0.2 else {}))
    decided = set()
    for before, _ in (await chat.tracker()).generate_all_prior_trackers():
        ours, rasas = (each.predict_action_probabilities(before, processor.domain) for each in (policy, plain))
        assert ours == rasas
        assert ours.hide_rule_turn == rasas.hide_rule_turn
        decided.add(ours.max_confidence_index if ours.max_confidence else None)
    assert len(decided) > 10


def test_sight_goes_one_state_beyond_the_longest_rule() -> None:
    lookup = {
        "rules": {rule(after_message(intent="hi")): "utter_hello"},
        "rules_for_loop_unhappy_path": {rule(AFTER_ACTION, after_message(intent="no"), AFTER_ACTION): "stop"},
        "rules_not_in_stories": ["loop form", rule(after_message(intent="hi"))],
    }
    assert Sight.of(lookup) == Sight(states=4, reads_text=False)
    assert Sight.of({"rules": {}}) == Sight(states=1, reads_text=False)


@pytest.mark.parametrize(
    ("last", "reads_text"),
    [
        (after_message(intent="hi"), False),
        (AFTER_ACTION, False),
        ({}, False),
        (after_message(text="hi"), True),
        (after_message(), True),
    ],
)
def test_words_are_looked_at_only_if_a_rule_may_be_about_them(last: dict[str, Any], reads_text: bool) -> None:
    assert Sight.of({"rules": {rule(after_message(intent="hi")): "a", rule(last): "b"}}).reads_text is reads_text
