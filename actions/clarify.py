"""A question that was not understood: the customer is asked once for other words, with the best guesses."""

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

GUESSES = 2
QUESTION = "faq/"
TITLES = "utter_titles"
"""The response whose custom part holds what intents are called on buttons; see nlu_data/titles.yml."""

TALK_TO_HUMAN = {"title": "Ask for a person", "payload": "/talk_to_human"}


class ActionClarify(Action):
    """Asks for other words and offers the best guesses as buttons; never answers with a guess."""

    def name(self) -> str:
        """Return the name in the domain."""
        return "action_clarify"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict) -> list[dict[str, Any]]:
        """Ask."""
        message = tracker.latest_message
        guesses = best_guesses(message, titles(domain))
        buttons = [{"title": title, "payload": f"/{intent}"} for intent, title in guesses]
        name = "utter_clarify" if guesses else "utter_clarify_without_guesses"
        dispatcher.utter_message(response=name, buttons=[*buttons, TALK_TO_HUMAN])
        return []


def titles(domain: DomainDict) -> dict[str, str]:
    """Return what each intent is called on a button."""
    found = (domain.get("responses") or {}).get(TITLES) or [{}]
    return dict(found[0].get("custom") or {})


def best_guesses(message: dict[str, Any], titles: dict[str, str]) -> list[tuple[str, str]]:
    """Return the most probable questions that have a title, with it, best first; small talk is no help here."""
    triage = message.get("triage") or {}
    ranking = triage.get("ranking") or message.get("intent_ranking") or []
    names = [str(guess.get("name")) for guess in ranking]
    return [(name, titles[name]) for name in names if name in titles and name.startswith(QUESTION)][:GUESSES]
