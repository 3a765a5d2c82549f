"""An assistant that says what the test wrote: it stands for Rasa where Rasa is not what is tested."""

from collections.abc import Callable

from bot.conversation.messages import Inbound
from bot.conversation.triage import Triage
from bot.turns import Reply, Turn

HAND_OVER = {"command": "hand_over", "reason": "customer_request", "priority": "P3", "facts": {"order_number": "LF-1"}}
NONSENSE = {"command": "hand_over", "reason": "because"}
COMPLAINT = HAND_OVER | {"reason": "complaint", "facts": {"what_happened": "complaint"}}
OFFER = {"command": "offer_handoff", "reason": "repeated_fallback"}


class ScriptedAssistant:
    """Echoes; hands over on "human", offers a person on "offer", fails on "fail", is silent on "silent".

    After "complaint" it waits for an answer.
    """

    def __init__(self, on_turn: Callable[[Inbound], None] | None = None) -> None:
        self.turns: list[tuple[str, str | None, str, bool]] = []
        self._on_turn = on_turn

    async def triage(self, text: str) -> Triage:
        return Triage(intent="scripted", confidence=1.0, model="scripted")

    async def turn(self, inbound: Inbound, payload: str | None, memory: str, returned: bool) -> Turn:
        self.turns.append((inbound.text, payload, memory, returned))
        if self._on_turn:
            self._on_turn(inbound)
        text = inbound.text
        if text == "fail":
            raise RuntimeError("scripted failure")
        replies = () if text in ("silent", "human") else (Reply(f"echo {text}", (("Yes", "/affirm"),)),)
        commands = tuple(
            c for word, c in (("human", HAND_OVER), ("offer", OFFER), ("nonsense", NONSENSE)) if word == text
        )
        return Turn(
            triage=await self.triage(text),
            replies=replies,
            commands=commands,
            memory=f"{int(memory or 0) + 1}",
            rasa_events=(),
            duration_ms=1.0,
            fallback=False,
            answered=bool(replies),
            model="scripted",
            unfinished=COMPLAINT if text == "complaint" else None,
        )
