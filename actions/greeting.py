"""The greeting: the assistant says what it is, once."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict


class ActionGreet(Action):
    """Introduces the assistant, unless it did so before or a person has had the conversation."""

    def name(self) -> str:
        """Return the name in the domain."""
        return "action_greet"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict) -> list[dict[str, Any]]:
        """Greet."""
        known = tracker.get_slot("greeted") or tracker.get_slot("person_was_here")
        dispatcher.utter_message(response="utter_greet_again" if known else "utter_greet")
        return [SlotSet("greeted", True)]
