"""The copies that Rasa makes in a turn: what is not copied is only logged, what is copied otherwise is the same."""

import ast
import copy
import inspect
import sys

import pytest

from bot.rasa_imports import REPLACED
from bot.rasa_runtime import prepare, tolerating_old_style

prepare()

import rasa.core.actions.forms  # noqa: E402, F401
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402

from bot.rasa_copies import slot_copy  # noqa: E402

with tolerating_old_style():
    DOMAIN = Domain.from_yaml("""
version: "3.1"
slots:
  a: {type: text, initial_value: x, mappings: [{type: custom}]}
  b: {type: bool, influence_conversation: false, mappings: [{type: custom}]}
  c: {type: categorical, values: [one, two], mappings: [{type: custom}]}
  d: {type: float, min_value: 1.0, max_value: 4.0, mappings: [{type: custom}]}
  e: {type: list, mappings: [{type: custom}]}
  f: {type: any, mappings: [{type: custom}]}
""")


def modules_with(ours: str) -> list[str]:
    return [module for module, names in REPLACED.items() if names.get("copy") == ("bot.rasa_copies", ours)]


def calls(tree: ast.AST, of: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(of)]


@pytest.mark.parametrize("module", modules_with("no_copy"))
def test_where_nothing_is_copied_copies_are_only_logged(module: str) -> None:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    logged = [copied for log in calls(tree, "structlogger.debug") for copied in calls(log, "copy.")]
    assert logged
    assert {ast.unparse(each.func) for each in logged} == {"copy.deepcopy"}
    assert len(calls(tree, "copy.")) == len(logged)


def test_trackers_copy_slots_and_nothing_else() -> None:
    assert modules_with("slot_copy") == ["rasa.shared.core.trackers"]
    tree = ast.parse(inspect.getsource(sys.modules["rasa.shared.core.trackers"]))
    assert [ast.unparse(each) for each in calls(tree, "copy.")] == ["copy.copy(slot)"]


def test_a_slot_is_copied_as_rasa_copies_it() -> None:
    assert len({type(slot) for slot in DOMAIN.slots}) == 6
    for slot in DOMAIN.slots:
        ours, rasas = slot_copy.copy(slot), copy.copy(slot)
        assert type(ours) is type(rasas)
        assert vars(ours) == vars(rasas)


def test_a_tracker_leaves_the_slots_alone_that_it_was_made_of() -> None:
    tracker = DialogueStateTracker("web:c1", DOMAIN.slots)
    tracker.slots["a"].value = "y"
    assert [slot.value for slot in DOMAIN.slots if slot.name == "a"] == ["x"]
    assert tracker.init_copy().get_slot("a") == "x"
