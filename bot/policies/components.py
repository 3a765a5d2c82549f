"""The escalation policy as a component of Rasa's: reads the tracker, asks `escalation`, predicts the action."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from bot.conversation.errors import ConfigError
from bot.conversation.events import Reason
from bot.conversation.triage import Triage
from bot.policies.escalation import COMPLAINT_FORM, Decision, Step, Turn, decide
from bot.policies.facts import facts
from bot.policies.thresholds import Thresholds, thresholds_of
from bot.rasa_imports import config_error
from bot.rasa_runtime import prepare

prepare()

from rasa.core.policies.policy import Policy, PolicyPrediction  # noqa: E402
from rasa.engine.recipes.default_recipe import DefaultV1Recipe  # noqa: E402
from rasa.engine.storage.resource import Resource  # noqa: E402
from rasa.shared.core.constants import ACTION_LISTEN_NAME  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.events import ActionExecuted, ActiveLoop, BotUttered, Event, SlotSet, UserUttered  # noqa: E402
from rasa.shared.core.generator import TrackerWithCachedStates  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402

HAND_OVER = "action_hand_over"
OFFER = "utter_offer_person"
ACTIONS = {Step.HAND_OVER: HAND_OVER, Step.ACKNOWLEDGE: "action_acknowledge_complaint", Step.OFFER: OFFER}
"""What the bot does about a decision."""

LAST_WORDS = (HAND_OVER, OFFER)
"""Actions after which it is the customer's turn."""

PRIORITY = 10
"""Above RulePolicy's 6, so that it wins against rules and forms of the same confidence."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=False)
class EscalationPolicy(Policy):
    """Predicts the handoff of a conversation, and nothing else."""

    def __init__(self, config: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        try:
            self._thresholds = thresholds_of(config)
        except ConfigError as error:
            raise config_error(str(error)) from error

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings with their defaults; those of the thresholds are explained at `Thresholds`."""
        return {"priority": PRIORITY, **{field.name: None for field in dataclasses.fields(Thresholds)}}

    def train(self, training_trackers: list[TrackerWithCachedStates], domain: Domain, **kwargs: Any) -> Resource:
        """Do nothing: the policy has thresholds instead of data."""
        return self._resource

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """Predict the action that the decision asks for, or nothing."""
        if tracker.latest_action_name in LAST_WORDS:
            return self._predict(ACTION_LISTEN_NAME, domain)
        decision = self._decide(tracker)
        if decision is None:
            return self._abstain(domain)
        handoff = [
            SlotSet("handoff", as_slot(decision)),
            SlotSet("handoff_cause", decision.cause),
            SlotSet("complaint_topic", decision.topic),
        ]
        return self._predict(ACTIONS[decision.step], domain, handoff)

    def _decide(self, tracker: DialogueStateTracker) -> Decision | None:
        """Return the decision if it is time for it: right after a message, or after the answer to a sensitive one."""
        after_message = tracker.latest_action_name == ACTION_LISTEN_NAME
        after_answer = str(tracker.latest_action_name).startswith("utter_") and not tracker.active_loop_name
        if not tracker.latest_message or not (after_message or after_answer):
            return None
        decision = decide(history_of(tracker.events), self._thresholds)
        if decision is None:
            return None
        answer_first = decision.reason is Reason.SENSITIVE_TOPIC and not tracker.active_loop_name
        return decision if after_answer == answer_first else None

    def _predict(self, action: str, domain: Domain, events: Iterable[Event] = ()) -> PolicyPrediction:
        # A form's own prediction doesn't look at the message either and can be beaten by its kind only.
        return PolicyPrediction(
            self._prediction_result(action, domain),
            self.__class__.__name__,
            self.priority,
            optional_events=list(events),
            is_no_user_prediction=True,
        )

    def _abstain(self, domain: Domain) -> PolicyPrediction:
        return PolicyPrediction([0.0] * domain.num_actions, self.__class__.__name__, self.priority)

    @staticmethod
    def _prediction_result(action: str, domain: Domain) -> list[float]:
        result = [0.0] * domain.num_actions
        result[domain.index_for_action(action)] = 1.0
        return result


def history_of(events: Iterable[Event]) -> list[Turn]:
    """Return the customer's messages since a person last had the conversation, or was last asked for."""
    turns: list[Turn] = []
    form: str | None = None
    for event in events:
        match event:
            case ActionExecuted(action_name=action) if action == HAND_OVER:
                turns.clear()
            case SlotSet(key="person_was_here", value=True):
                turns.clear()
            case ActiveLoop(name=name):
                form = name
            case UserUttered():
                turns.append(_turn(event, form == COMPLAINT_FORM))
            case BotUttered() if turns:
                offer = _offer(event)
                if offer:
                    turns[-1] = dataclasses.replace(turns[-1], offer=offer)
    return turns


def _turn(event: UserUttered, about_complaint: bool) -> Turn:
    intent = event.intent or {}
    name = str(intent.get("full_retrieval_intent_name") or intent.get("name") or "nlu_fallback")
    found = (event.parse_data or {}).get("triage")
    triage = Triage.model_validate(found) if found else Triage(intent=name, confidence=intent.get("confidence") or 0.0)
    return Turn(intent=name, triage=triage, at_s=event.timestamp, about_complaint=about_complaint)


def _offer(event: BotUttered) -> Reason | None:
    custom = (event.data or {}).get("custom")
    command = custom.get("frontdesk") if isinstance(custom, Mapping) else None
    return Reason(command["reason"]) if command and command.get("command") == "offer_handoff" else None


def unfinished_handoff(tracker: DialogueStateTracker) -> dict[str, Any] | None:
    """Return the command to hand over with what is known, if a handoff waits only for the facts of a complaint."""
    decision = tracker.get_slot("handoff")
    if tracker.active_loop_name != COMPLAINT_FORM or not decision:
        return None
    details = [*decision["details"], "The customer left the questions about the complaint unanswered"]
    return {**decision, "command": "hand_over", "facts": facts(tracker.current_slot_values()), "details": details}


def as_slot(decision: Decision) -> dict[str, Any]:
    """Return a decision as the slot `handoff` keeps it."""
    return {
        "reason": str(decision.reason),
        "priority": str(decision.priority),
        "cause": decision.cause,
        "skill": decision.skill,
        "scores": dict(decision.scores),
        "details": list(decision.details),
    }
