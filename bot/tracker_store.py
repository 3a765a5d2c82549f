"""Rasa's tracker as a view of the conversation log.

A turn works on a tracker that is restored from the snapshot: slots, active loop and the last events, cut at the start
of a turn. So a turn costs the same however long the conversation is. Nothing is written here: the worker takes what
is new and appends it together with everything else that the turn decided.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bot.rasa_runtime import prepare

prepare()

from pydantic_core import from_json, to_json  # noqa: E402
from rasa.core.tracker_store import TrackerStore  # noqa: E402
from rasa.shared.core.constants import ACTION_LISTEN_NAME  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SlotSet, UserUttered  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402

TAIL_EVENTS = 24
"""How many events a turn starts with, at least; the policies look back over fewer."""

KEPT_OF_MESSAGE = ("text", "intent", "entities", "triage", "response_selector")
"""What later turns need of the NLU's result for a message; the log has the rest."""


@dataclass
class TurnMemory:
    """What a turn starts with and what it leaves: JSON text in, the tracker out."""

    sender: str
    memory: str
    tracker: DialogueStateTracker | None = None
    known: int = 0
    new_events: list[Event] = field(default_factory=list)


current_turn: ContextVar[TurnMemory] = ContextVar("current_turn")


class LogTrackerStore(TrackerStore):
    """Gives Rasa the tracker of the turn that runs in this context."""

    def __init__(self, domain: Domain | None = None, **_: Any) -> None:
        super().__init__(domain)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Return the tracker as the snapshot has it, or None at the start of a conversation."""
        turn = current_turn.get()
        if turn.tracker is None and turn.memory:
            turn.tracker = restore(turn.sender, turn.memory, self.domain)
            turn.known = len(turn.tracker.events)
        return turn.tracker

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep the tracker for the worker."""
        current_turn.get().tracker = tracker

    async def keys(self) -> Iterable[str]:
        """Return nothing: conversations are listed by the desk, not by Rasa."""
        return []


def restore(sender: str, memory: str, domain: Domain) -> DialogueStateTracker:
    """Return the tracker that `remember` made `memory` of, with only its last events."""
    data = from_json(memory)
    tracker = DialogueStateTracker(sender, domain.slots)
    loop = data.get("loop") or {}
    events = [
        kind._from_parameters(each)
        for each in data["events"]
        if (kind := _kind_of(each["event"])) and _is_known(each, tracker, domain)
    ]
    if loop.get("name") not in domain.form_names:
        loop = {}
    # Rasa gives actions a copy of the tracker that is made of its events alone, so what is older than they are must
    # be said by events too.
    told = {event.key for event in events if isinstance(event, SlotSet)}
    for name, value in data["slots"].items():
        if name in tracker.slots and name not in told:
            tracker.update(SlotSet(name, value))
    if loop.get("name") and not any(isinstance(e, ActiveLoop) and e.name == loop["name"] for e in events):
        tracker.update(ActiveLoop(loop["name"]))
    for event in events:
        tracker.update(event)
    if loop.get("name") and tracker.active_loop:
        tracker.active_loop.is_interrupted = loop.get("is_interrupted", False)
        tracker.active_loop.rejected = loop.get("rejected", False)
        tracker.active_loop.trigger_message = loop.get("trigger_message")
    followup = data.get("followup")
    tracker.followup_action = followup if followup in domain.action_names_or_texts else None
    tracker._paused = False  # who answers is the log's to say; Rasa's own pause flag is never used
    return tracker


def _is_known(event: dict[str, Any], tracker: DialogueStateTracker, domain: Domain) -> bool:
    """Say whether this model has the slot or the form of an event; another model may have made the memory."""
    match event:
        case {"event": "slot", "name": name}:
            return name in tracker.slots
        case {"event": "active_loop", "name": str(name)}:
            return name in domain.form_names
    return True


@lru_cache(maxsize=64)
def _kind_of(name: str) -> type[Event] | None:
    """Return the class of an event; Rasa looks through all subclasses for each event anew."""
    found: type[Event] | None = Event.resolve_by_type(name)
    return found


def remember(tracker: DialogueStateTracker) -> str:
    """Return what the next turn needs of a tracker, as JSON text of bounded size."""
    events = list(tracker.events)
    loop = tracker.active_loop
    memory = {
        "slots": {
            name: slot.value
            for name, slot in tracker.slots.items()
            if slot.value != slot.initial_value and name != "session_started_metadata"
        },
        "loop": {
            "name": loop.name,
            "is_interrupted": loop.is_interrupted,
            "rejected": loop.rejected,
            "trigger_message": loop.trigger_message,
        }
        if loop and loop.name
        else None,
        "followup": tracker.followup_action,
        "events": [slim(event) for event in events[_tail_start(events) :]],
    }
    return to_json(memory).decode()


def after_return(memory: str, domain: Domain) -> str:
    """Return the memory with which the bot goes on after a person: a clean start that knows of the person.

    What was counted towards a handoff (misunderstandings, mood) and what a form was filling starts afresh; other
    slots stay as they were when the bot gave the conversation away.
    """
    data = from_json(memory) if memory else {"slots": {}}
    filling = {"requested_slot"}.union(*[_slots_of(domain, form) for form in domain.form_names])
    tracker = DialogueStateTracker("", domain.slots)
    tracker.update(ActionExecuted(ACTION_LISTEN_NAME))
    for name, value in {**data["slots"], "person_was_here": True}.items():
        if name in tracker.slots and name not in filling:
            tracker.update(SlotSet(name, value))
    return remember(tracker)


def _slots_of(domain: Domain, form: str) -> set[str]:
    return set(domain.required_slots_for_form(form))


def slim(event: Event) -> dict[str, Any]:
    """Return an event as Rasa stores it, without what nobody reads again."""
    data: dict[str, Any] = event.as_dict()
    if isinstance(event, UserUttered):
        parsed = data.get("parse_data") or {}
        data["parse_data"] = {key: parsed[key] for key in KEPT_OF_MESSAGE if key in parsed}
        if "response_selector" in parsed:
            data["parse_data"]["response_selector"] = _without_ranking(parsed["response_selector"])
    return data


def _without_ranking(answers: dict[str, Any]) -> dict[str, Any]:
    """Return what a response selector chose, without what else there was: the triage ranks it too."""
    return {
        family: {"response": found["response"]} if isinstance(found, dict) and "response" in found else found
        for family, found in answers.items()
    }


def _tail_start(events: list[Event]) -> int:
    """Return the place of the last start of a turn that leaves at least `TAIL_EVENTS` events."""
    starts = [
        place
        for place, event in enumerate(events)
        if isinstance(event, ActionExecuted) and event.action_name == ACTION_LISTEN_NAME
    ]
    early = [place for place in starts if place <= len(events) - TAIL_EVENTS]
    return early[-1] if early else 0
