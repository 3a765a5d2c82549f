"""The dialogue over the conversation log's view of a tracker: each turn starts from what the last one left."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from bot.assistant import Assistant, Turn
from bot.conversation.events import Attachment, Priority
from bot.conversation.ids import MessageId
from bot.conversation.messages import Inbound
from bot.handing_over import handoff_of
from bot.rasa_runtime import load_processor
from bot.tracker_store import LogTrackerStore


class Customer:
    """A customer whose conversation is kept as text between the turns, as the worker does."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._numbers = count(1)
        self.memory = ""

    async def send(
        self, text: str, payload: str | None = None, returned: bool = False, attachments: tuple[Attachment, ...] = ()
    ) -> Turn:
        number = next(self._numbers)
        inbound = Inbound(
            channel="web",
            customer="1",
            channel_message=str(number),
            text=text,
            attachments=attachments,
            received_at=datetime.now(UTC),
            message=MessageId(f"m{number}"),
        )
        turn = await self._assistant.turn(inbound, payload, self.memory, returned)
        self.memory = turn.memory
        return turn


@pytest.fixture(scope="session")
def assistant(trained_model: Path) -> Assistant:
    return Assistant(load_processor(trained_model, LogTrackerStore()), "test")


@pytest.fixture
def customer(assistant: Assistant) -> Customer:
    return Customer(assistant)


async def test_the_facts_of_a_complaint_survive_from_turn_to_turn(customer: Customer) -> None:
    await customer.send("complain", "/make_complaint")
    await customer.send("Skip this question", "/skip")
    await customer.send("Skip this question", "/skip")
    turn = await customer.send("Just get me someone", "/talk_to_human")
    assert [command["reason"] for command in turn.commands] == ["complaint"]


async def test_a_person_who_takes_over_ends_the_questions(customer: Customer) -> None:
    await customer.send("complain", "/make_complaint")
    turn = await customer.send("Gift wrap", "/faq/gift_wrap", returned=True)
    assert [reply.action for reply in turn.replies] == ["utter_faq/gift_wrap"]
    turn = await customer.send("hi", "/greet")
    assert "computer program" not in turn.replies[0].text


async def test_while_questions_are_open_a_turn_says_what_silence_would_mean(customer: Customer) -> None:
    turn = await customer.send("complain", "/make_complaint")
    assert turn.unfinished
    assert (turn.unfinished["reason"], turn.unfinished["facts"]) == ("complaint", {})
    turn = await customer.send("a driver swore at my dad")
    assert turn.unfinished
    assert turn.unfinished["facts"] == {"what_happened": "a driver swore at my dad"}
    assert turn.unfinished["details"][-1] == "The customer left the questions about the complaint unanswered"
    assert handoff_of(turn.unfinished).priority is Priority.P3
    turn = await customer.send("Just get me someone", "/talk_to_human")
    assert turn.unfinished is None
    turn = await customer.send("Gift wrap", "/faq/gift_wrap", returned=True)
    assert turn.unfinished is None


async def test_a_second_handoff_after_a_return_needs_its_own_reason(customer: Customer) -> None:
    await customer.send("agent", "/talk_to_human")
    turn = await customer.send("Gift wrap", "/faq/gift_wrap", returned=True)
    assert turn.commands == ()
    turn = await customer.send("agent", "/talk_to_human")
    assert [command["command"] for command in turn.commands] == ["hand_over"]


async def test_an_offer_is_remembered_until_the_next_message(customer: Customer) -> None:
    turn = await customer.send("", attachments=(Attachment(kind="photo"),))
    assert [command["command"] for command in turn.commands] == ["offer_handoff"]
    turn = await customer.send("Yes, please", "/affirm")
    assert [command["reason"] for command in turn.commands] == ["customer_request"]


async def test_memory_stays_small_however_long_the_conversation(customer: Customer) -> None:
    for _ in range(30):
        await customer.send("Gift wrap", "/faq/gift_wrap")
    early = len(customer.memory)
    for _ in range(60):
        turn = await customer.send("Gift wrap", "/faq/gift_wrap")
    assert turn.replies
    assert len(customer.memory) < 1.2 * early
