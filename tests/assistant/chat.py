"""A conversation with the trained dialogue, where the test says what NLU understood."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bot.conversation.triage import Triage
from bot.rasa_processor import Processor, parse_payload
from bot.rasa_runtime import prepare

prepare()

from rasa.core.channels.channel import CollectingOutputChannel, UserMessage  # noqa: E402
from rasa.shared.core.events import ActionExecuted, SlotSet  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402

_numbers = count(1)

GUESSES = ("faq/delivery_time", "faq/gift_wrap", "faq/store_hours")
"""What NLU thinks of a message that it doesn't understand."""


@dataclass
class Said:
    """What the bot answered: texts, buttons as title and payload, commands to Frontdesk."""

    texts: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    @property
    def handoff(self) -> dict[str, Any] | None:
        """The command to hand over, if there was one."""
        return next((command for command in self.commands if command["command"] == "hand_over"), None)

    @property
    def offer(self) -> str | None:
        """The reason for which a person was offered, if one was."""
        offers = [command["reason"] for command in self.commands if command["command"] == "offer_handoff"]
        return offers[0] if offers else None


class Chat:
    """One customer's conversation."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.sender = f"chat-{next(_numbers)}"

    async def press(self, payload: str) -> Said:
        """Press a button."""
        return await self._send(payload, await self._processor.parse_message(UserMessage(payload)))

    async def say(self, text: str, intent: str = "nlu_fallback", order: str | None = None, **triage: Any) -> Said:
        """Write a message that NLU understands as `intent`, with the given triage."""
        parsed = parse_payload(f"/{intent}", self._processor.domain)
        assert parsed, intent
        self._processor._update_full_retrieval_intent(parsed)
        ranking = [{"name": name, "confidence": 0.2} for name in GUESSES]
        found = Triage.model_validate({"intent": intent, "confidence": 0.9, "ranking": ranking, **triage})
        parsed |= {"text": text, "triage": found.model_dump(mode="json")}
        if order:
            parsed["entities"] = [{"entity": "order_number", "value": order, "start": 0, "end": len(order)}]
        return await self._send(text, parsed)

    async def write(self, text: str) -> Said:
        """Write a message and let the model's own NLU understand it."""
        return await self._send(text, await self._processor.parse_message(UserMessage(text)))

    async def come_back(self) -> None:
        """Have a person give the conversation back, as the worker records it."""
        tracker = await self.tracker()
        tracker.update(SlotSet("person_was_here", True))
        await self._processor.tracker_store.save(tracker)

    async def tracker(self) -> DialogueStateTracker:
        """Return Rasa's tracker."""
        return await self._processor.tracker_store.get_or_create_tracker(self.sender)

    async def _send(self, text: str, parsed: dict[str, Any]) -> Said:
        before = len((await self.tracker()).events)
        channel = CollectingOutputChannel()
        message = UserMessage(
            text,
            channel,
            self.sender,
            parse_data=parsed,
            metadata={"message_id": f"{self.sender}/{before}"},
        )
        await self._processor.handle_message(message)
        said = Said()
        for part in channel.messages:
            if part.get("text"):
                said.texts.append(part["text"])
            said.buttons += [(button["title"], button["payload"]) for button in part.get("buttons") or []]
            if part.get("custom", {}).get("frontdesk"):
                said.commands.append(part["custom"]["frontdesk"])
        events = list((await self.tracker()).events)[before:]
        said.actions = [e.action_name for e in events if isinstance(e, ActionExecuted)]
        return said
