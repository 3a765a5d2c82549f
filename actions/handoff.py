"""The handoff of a conversation to a person."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

from actions.commands import hand_over
from actions.idempotency import key
from bot.conversation.events import Priority, Reason
from bot.policies.facts import facts

FORGOTTEN = ("requested_slot", "what_happened", "order_number", "remedy", "handoff", "handoff_cause", "complaint_topic")
"""Slots that belong to this handoff; a later complaint is asked about afresh."""


class ActionHandOver(Action):
    """Asks Frontdesk for a person, with the reason that the policy found and the facts that the customer gave.

    The place in the queue and the wait are told by Frontdesk; what is said here is only the response for the cause.
    """

    def name(self) -> str:
        """Return the name in the domain."""
        return "action_hand_over"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict) -> list[dict[str, Any]]:
        """Say a word that fits, give the command, and end what was going on."""
        handoff = tracker.get_slot("handoff") or {}
        dispatcher.utter_message(response="utter_hand_over")
        dispatcher.utter_message(
            json_message=hand_over(
                Reason(handoff.get("reason", Reason.CUSTOMER_REQUEST)),
                Priority(handoff.get("priority", Priority.P3)),
                key=key(tracker, self.name()),
                skill=handoff.get("skill", "general"),
                scores=handoff.get("scores"),
                facts=facts(tracker.slots, handoff.get("cause"), tracker.latest_message.get("text")),
                details=tuple(handoff.get("details") or ()),
            )
        )
        return [ActiveLoop(None), *(SlotSet(name, None) for name in FORGOTTEN)]
