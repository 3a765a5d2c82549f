"""Rasa's message processor, with the meaning of buttons read without NLU."""

import re
from typing import Any

from bot.rasa_runtime import prepare

prepare()

from rasa.core.channels.channel import UserMessage  # noqa: E402
from rasa.core.processor import MessageProcessor  # noqa: E402
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME, INTENT_MESSAGE_PREFIX, UTTER_PREFIX  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader  # noqa: E402
from rasa.shared.nlu.training_data.message import Message  # noqa: E402

_INTENT = re.compile(r"[^{@]*")


class Processor(MessageProcessor):
    """Takes `/intent` and `/faq/question` at their word.

    Only payloads of the bot's own buttons may come here with a slash; customers' text is stripped of it before.
    """

    def _parse_message_with_graph(
        self, message: UserMessage, tracker: DialogueStateTracker, only_output_properties: bool = True
    ) -> dict[str, Any]:
        parsed = parse_payload(str(message.text or ""), self.domain)
        if parsed is None:
            parsed = super()._parse_message_with_graph(message, tracker, only_output_properties)
        return parsed

    def _check_for_unseen_features(self, parse_data: dict[str, Any]) -> None:
        # Rasa's first makes an empty domain, to compare this one with it.
        seen = parse_data["intent"]["name"] in self.domain.intents and all(
            entity["entity"] in self.domain.entities for entity in parse_data["entities"] or ()
        )
        if not seen:
            super()._check_for_unseen_features(parse_data)


def parse_payload(payload: str, domain: Domain) -> dict[str, Any] | None:
    """Return what a button's payload means, in the shape of an NLU result, or None if it is no payload."""
    if not payload.startswith(INTENT_MESSAGE_PREFIX):
        return None
    full = payload.removeprefix(INTENT_MESSAGE_PREFIX)
    family = full.partition("/")[0]
    if f"{UTTER_PREFIX}{full}" in domain.responses and family in domain.retrieval_intents:
        return {
            "text": payload,
            "intent": {"name": family, "confidence": 1.0},
            "intent_ranking": [{"name": family, "confidence": 1.0}],
            "entities": [],
            "response_selector": _selected(full, family, domain),
        }
    if _INTENT.match(full).group() not in domain.intents:  # type: ignore[union-attr]
        # A button of an earlier model, for something that this one doesn't know.
        fallback = {"name": DEFAULT_NLU_FALLBACK_INTENT_NAME, "confidence": 1.0}
        return {"text": payload, "intent": fallback, "intent_ranking": [fallback], "entities": []}
    message = YAMLStoryReader.unpack_regex_message(Message({"text": payload}), domain, "payload")
    return {**message.as_dict(only_output_properties=True)}


def _selected(full: str, family: str, domain: Domain) -> dict[str, Any]:
    answer = {"intent_response_key": full, "utter_action": f"{UTTER_PREFIX}{full}", "confidence": 1.0}
    return {
        "all_retrieval_intents": list(domain.retrieval_intents),
        family: {"response": {**answer, "responses": []}, "ranking": []},
    }
