"""The Rasa assistant as a function: a message and a memory in, replies, commands and a new memory out."""

import logging
import re
import time
from typing import Any

from bot.conversation.messages import Inbound
from bot.conversation.triage import Triage
from bot.rasa_runtime import prepare
from bot.turns import Reply, Turn

prepare()

from rasa.core.channels.channel import CollectingOutputChannel, UserMessage  # noqa: E402
from rasa.core.processor import MessageProcessor  # noqa: E402
from rasa.shared.core.events import BotUttered, UserUttered  # noqa: E402

from bot.policies.components import unfinished_handoff  # noqa: E402
from bot.policies.escalation import NOT_UNDERSTOOD  # noqa: E402
from bot.tracker_store import TurnMemory, after_return, current_turn, remember, slim  # noqa: E402

logger = logging.getLogger(__name__)

MAX_NLU_CHARS = 2_000
"""The part of a message that NLU reads; the encoder sees some 250 words, people rarely write more."""

LEADING = re.compile(r"^[\s/]+")
ANSWER_PREFIX = "utter_faq"
COMMANDS = {"/start": "/greet", "/help": "/chitchat/what_can_you_do"}
"""Commands that messaging apps offer by themselves, and the payloads that they stand for."""


class Assistant:
    """A trained Rasa model. Calls may overlap as long as each conversation has one at a time."""

    def __init__(self, processor: MessageProcessor, model: str) -> None:
        self._processor = processor
        self.model = model

    async def triage(self, text: str) -> Triage:
        """Return the triage of a text."""
        if not text.strip():
            return Triage(model=self.model)
        return self._triage_of(await self._parse(text))

    async def turn(self, inbound: Inbound, payload: str | None, memory: str, returned: bool) -> Turn:
        """Run one turn.

        Args:
            inbound: the customer's message.
            payload: what a button means to the bot; only the bot's own payloads may be given, never a customer's text.
            memory: what the last turn left.
            returned: a person had the conversation since.
        """
        started = time.perf_counter()
        if returned:
            memory = after_return(memory, self._processor.domain)
        holder = TurnMemory(inbound.conversation, memory)
        token = current_turn.set(holder)
        try:
            triage = await self._run(inbound, payload or COMMANDS.get(inbound.text.strip()))
        finally:
            current_turn.reset(token)
        tracker = holder.tracker
        if tracker is None:
            raise RuntimeError("Rasa ended a turn without saving its tracker")
        new = list(tracker.events)[holder.known :]
        said = [event for event in new if isinstance(event, BotUttered)]
        replies = tuple(reply for event in said if (reply := _reply(event)))
        return Turn(
            triage=triage,
            replies=replies,
            commands=tuple(command for event in said if (command := _command(event))),
            memory=remember(tracker),
            rasa_events=tuple(slim(event) for event in new),
            duration_ms=(time.perf_counter() - started) * 1000,
            fallback=any(isinstance(e, UserUttered) and e.intent.get("name") in NOT_UNDERSTOOD for e in new),
            answered=any((reply.action or "").startswith(ANSWER_PREFIX) for reply in replies),
            model=self.model,
            unfinished=unfinished_handoff(tracker),
        )

    async def _run(self, inbound: Inbound, payload: str | None) -> Triage:
        metadata = {"message_id": inbound.message}
        if payload:
            parsed = await self._processor.parse_message(UserMessage(payload))
        elif inbound.text.strip():
            parsed = await self._parse(inbound.text)
        else:
            nothing = "/attachment" if inbound.attachments else "/nlu_fallback"
            parsed = await self._processor.parse_message(UserMessage(nothing))
        if inbound.text.strip():
            parsed["text"] = inbound.text
        message = UserMessage(
            text=parsed["text"],
            output_channel=CollectingOutputChannel(),
            sender_id=inbound.conversation,
            parse_data=parsed,
            input_channel=inbound.channel,
            message_id=inbound.message,
            metadata=metadata,
        )
        await self._processor.handle_message(message)
        return self._triage_of(parsed)

    async def _parse(self, text: str) -> dict[str, Any]:
        # Rasa takes a leading slash for an order to set an intent and slots; customers have no such right.
        plain = LEADING.sub("", text)[:MAX_NLU_CHARS] or "…"
        parsed: dict[str, Any] = await self._processor.parse_message(UserMessage(plain))
        return parsed

    def _triage_of(self, parsed: dict[str, Any]) -> Triage:
        found = parsed.get("triage")
        if found:
            return Triage.model_validate({**found, "model": self.model})
        intent = parsed.get("intent") or {}
        name = intent.get("full_retrieval_intent_name") or intent.get("name") or "nlu_fallback"
        return Triage(intent=name, confidence=intent.get("confidence") or 0.0, model=self.model)


def _reply(event: BotUttered) -> Reply | None:
    parts = [event.text or ""]
    parts += [str(event.data[kind]) for kind in ("image", "attachment") if event.data.get(kind)]
    text = "\n".join(part for part in parts if part)
    buttons = tuple(
        (str(button["title"]), str(button.get("payload") or button["title"]))
        for button in (event.data.get("buttons") or []) + (event.data.get("quick_replies") or [])
    )
    if not text:
        return None
    return Reply(re.sub(r"[ \t]+\n", "\n", text), buttons, event.metadata.get("utter_action"))


def _command(event: BotUttered) -> dict[str, Any] | None:
    custom = event.data.get("custom")
    command = custom.get("frontdesk") if isinstance(custom, dict) else None
    return command if isinstance(command, dict) else None
