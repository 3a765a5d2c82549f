"""The beginning of a complaint: it is acknowledged, and what was already told is not asked again."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

from bot.conversation.triage import Remedy, Severity, Triage
from bot.policies.escalation import MAKE_COMPLAINT

TELLING_WORDS = 6
"""A message with fewer words names a grievance ("where is my parcel!") but hardly tells what happened."""

ORDER_WINDOW_S = 3600.0
"""An order number that was given longer ago belongs to another matter."""


class ActionAcknowledgeComplaint(Action):
    """Says sorry for the particular thing, and notes what the message already tells."""

    def name(self) -> str:
        """Return the name in the domain."""
        return "action_acknowledge_complaint"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict) -> list[dict[str, Any]]:
        """Acknowledge; the form that follows asks for what is missing."""
        serious = tracker.get_slot("handoff_cause") == Severity.ACCUSATION
        dispatcher.utter_message(
            response="utter_acknowledge_serious_complaint" if serious else "utter_acknowledge_complaint"
        )
        return [
            SlotSet("what_happened", what_happened(tracker.latest_message)),
            SlotSet("order_number", order_number(tracker.events)),
            SlotSet("remedy", remedy(tracker.latest_message)),
            SlotSet("handoff_cause", "complaint"),
        ]


def what_happened(message: dict[str, Any]) -> str | None:
    """Return the message's text if it tells what happened, and not only that its writer wants to complain."""
    triage = Triage.model_validate(message.get("triage") or {})
    text = str(message.get("text") or "")
    only_a_wish = triage.intent == MAKE_COMPLAINT and triage.severity is Severity.NONE
    tells = triage.categories and len(text.split()) >= TELLING_WORDS and not only_a_wish
    return text if tells else None


def remedy(message: dict[str, Any]) -> str | None:
    """Return what the message asks for, if it is something that an agent can do."""
    triage = Triage.model_validate(message.get("triage") or {})
    return ", ".join(remedy for remedy in triage.remedies if remedy is not Remedy.INFORMATION) or None


def order_number(events: list[dict[str, Any]]) -> str | None:
    """Return the order number that the customer gave last, if it was within the window."""
    messages = [event for event in events if event.get("event") == "user"]
    now = messages[-1].get("timestamp") or 0.0 if messages else 0.0
    for message in reversed(messages):
        if now - (message.get("timestamp") or 0.0) > ORDER_WINDOW_S:
            return None
        for entity in reversed((message.get("parse_data") or {}).get("entities") or []):
            if entity.get("entity") == "order_number":
                return str(entity["value"])
    return None
