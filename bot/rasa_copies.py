"""Copies that Rasa makes in every turn, at less cost.

Takes the place of the module `copy` in those modules of Rasa that make them (`bot.rasa_imports`).
"""

from types import SimpleNamespace
from typing import TypeVar

T = TypeVar("T")


def _as_it_is(value: T) -> T:
    return value


def _with_own_attributes(value: T) -> T:
    twin = object.__new__(type(value))
    twin.__dict__.update(value.__dict__)
    return twin


no_copy = SimpleNamespace(deepcopy=_as_it_is)
"""For modules that copy nothing but what they log at debug level: copied there even if nobody logs that."""

slot_copy = SimpleNamespace(copy=_with_own_attributes)
"""For a module that copies nothing but slots, which are plain objects: all slots, for each of a turn's trackers."""
