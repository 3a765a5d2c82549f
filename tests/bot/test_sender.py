"""Deliveries: in order, tried again, buried in the open, and never over a human."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.channels.base import RetryLater, Undeliverable
from bot.conversation.errors import NotFound
from bot.conversation.events import Author, Event, MessageDelivered, MessageDropped, MessageFailed, MessageSent
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.messages import Outbound
from bot.conversation.outbox import Outbox, Progress
from bot.conversation.ownership import Agent, take_over
from bot.sender import Sender
from bot.settings import Settings, WorkerSettings
from tests.conftest import eventually

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONVERSATION = ConversationId("pigeon:c1")
ANNA = Agent(AgentId("anna"), "Anna")


class Pigeon:
    """A channel that carries single words, and does what the test planned for each call."""

    name = "pigeon"

    def __init__(self, *plan: Exception | None) -> None:
        self.plan = list(plan)
        self.carried: list[str] = []
        self.calls = 0

    def parts(self, outbound: Outbound) -> list[str]:
        return outbound.text.split()

    async def send(self, outbound: Outbound, part: str, last: bool) -> str:
        self.calls += 1
        error = self.plan.pop(0) if self.plan else None
        if error:
            raise error
        self.carried.append(part + ("." if last else ""))
        return f"p{self.calls}"


async def say(log: Log, text: str, author: Author = Author.BOT, number: int = 1) -> None:
    snapshot = await log.load(CONVERSATION)
    sent = MessageSent(at=NOW, message=MessageId(f"m{number}"), author=author, text=text)
    await log.append(snapshot, [sent])


async def deliver(log: Log, pigeon: Pigeon, send_tries: int = 3) -> list[Event]:
    """Run a sender until the outbox is empty; return what became of the messages."""
    settings = Settings(worker=WorkerSettings(send_tries=send_tries, send_backoff_s=0.01))
    stop = asyncio.Event()
    running = asyncio.create_task(Sender(log, {"pigeon": pigeon}, settings).run(stop))

    async def empty() -> bool:
        return await log.redis.xlen(log.keys_of(CONVERSATION).outbox) == 0

    await eventually(empty)
    stop.set()
    await running
    events = [one.event for one in await log.read(CONVERSATION)]
    return [one for one in events if isinstance(one, MessageDelivered | MessageDropped | MessageFailed)]


async def test_messages_are_delivered_in_order_part_by_part(log: Log) -> None:
    await say(log, "one two", number=1)
    await say(log, "three", number=2)
    pigeon = Pigeon()
    events = await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two.", "three."]
    assert [(e.message, e.channel_message, e.repeated) for e in events] == [("m1", "p2", False), ("m2", "p3", False)]
    assert await log.redis.hlen(log.keys_of(CONVERSATION).sending) == 0


async def test_a_part_that_is_out_is_not_sent_again(log: Log) -> None:
    await say(log, "one two")
    pigeon = Pigeon(None, RetryLater("no answer"))
    (delivered,) = await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two."]
    assert delivered.repeated is False


async def test_an_uncertain_failure_is_counted_as_a_possible_repetition(log: Log) -> None:
    await say(log, "one")
    (delivered,) = await deliver(log, Pigeon(RetryLater("timed out", uncertain=True)))
    assert delivered.repeated is True


async def test_a_process_that_died_in_a_call_is_counted_as_a_possible_repetition(log: Log) -> None:
    await say(log, "one")
    outbox = Outbox(log)
    (waiting,) = await outbox.waiting()
    await outbox.note(waiting.entry, Progress(open=True))
    (delivered,) = await deliver(log, Pigeon())
    assert delivered.repeated is True


async def test_a_platform_that_asks_to_wait_costs_no_try(log: Log) -> None:
    await say(log, "one")
    pigeon = Pigeon(*[RetryLater("slow down", after_s=0.01)] * 5)
    events = await deliver(log, pigeon, send_tries=2)
    assert pigeon.calls == 6
    assert isinstance(events[0], MessageDelivered)


async def test_what_can_not_be_delivered_becomes_a_dead_letter_and_lives_again(log: Log) -> None:
    await say(log, "one")
    (failed,) = await deliver(log, Pigeon(*[RetryLater("down")] * 3))
    assert isinstance(failed, MessageFailed)
    outbox = Outbox(log)
    (letter,) = await outbox.dead()
    assert (letter.outbound.text, letter.error, letter.tries) == ("one", "down", 3)
    await outbox.retry(MessageId("m1"))
    pigeon = Pigeon()
    await deliver(log, pigeon)
    assert pigeon.carried == ["one."]
    assert await outbox.dead() == []
    with pytest.raises(NotFound, match="no dead letter m1"):
        await outbox.retry(MessageId("m1"))


async def test_a_refused_message_is_not_tried_again_and_can_be_dropped(log: Log) -> None:
    await say(log, "one")
    pigeon = Pigeon(Undeliverable("blocked"))
    await deliver(log, pigeon)
    assert pigeon.calls == 1
    outbox = Outbox(log)
    await outbox.drop(MessageId("m1"))
    assert await outbox.dead() == []
    assert isinstance((await log.read(CONVERSATION))[-1].event, MessageDropped)


async def test_late_bot_reply_is_dropped_after_takeover(log: Log) -> None:
    await say(log, "bot", number=1)
    await say(log, "system", Author.SYSTEM, number=2)
    snapshot = await log.load(CONVERSATION)
    move = take_over(snapshot.state, ANNA, NOW)
    await log.append(snapshot, move.events, state=move.state)
    pigeon = Pigeon()
    dropped, delivered = await deliver(log, pigeon)
    assert isinstance(dropped, MessageDropped)
    assert dropped.why == "taken_over"
    assert isinstance(delivered, MessageDelivered)
    assert pigeon.carried == ["system."]


async def test_an_unknown_channel_is_a_dead_letter(log: Log) -> None:
    await say(log, "one")
    stop = asyncio.Event()
    running = asyncio.create_task(Sender(log, {}, Settings()).run(stop))
    outbox = Outbox(log)
    (letter,) = await eventually(outbox.dead)
    stop.set()
    await running
    assert letter.error == "the channel is not configured"
