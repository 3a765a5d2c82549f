"""Deliveries: in order, tried again, buried in the open, and never over a human."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from bot import sender as sender_module
from bot.channels.base import RetryLater, Undeliverable
from bot.conversation.errors import NotFound
from bot.conversation.events import (
    Author,
    Event,
    MessageDelivered,
    MessageDropped,
    MessageFailed,
    MessageSent,
    Priority,
    Reason,
)
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.messages import Outbound
from bot.conversation.outbox import Outbox
from bot.conversation.ownership import Agent, hand_over, take_over
from bot.conversation.state import Handoff
from bot.sender import Sender
from bot.settings import Settings, WorkerSettings
from tests.conftest import eventually

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONVERSATION = ConversationId("pigeon:c1")
ANNA = Agent(AgentId("anna"), "Anna")


class Pigeon:
    """A channel that carries single words, and does what the test planned for each call."""

    name = "pigeon"

    def __init__(self, *plan: BaseException | None, name: str = "pigeon") -> None:
        self.name = name
        self.plan = list(plan)
        self.carried: list[str] = []
        self.calls = 0
        self.free = asyncio.Event()
        self.free.set()

    def parts(self, outbound: Outbound) -> list[str]:
        return outbound.text.split()

    async def send(self, outbound: Outbound, part: str, last: bool) -> str:
        self.calls += 1
        error = self.plan.pop(0) if self.plan else None
        if error:
            raise error
        self.carried.append(part + ("." if last else ""))
        await self.free.wait()
        return f"p{self.calls}"


async def say(
    log: Log,
    text: str,
    author: Author = Author.BOT,
    number: int = 1,
    conversation: ConversationId = CONVERSATION,
) -> None:
    snapshot = await log.load(conversation)
    sent = MessageSent(at=NOW, message=MessageId(f"m{number}"), author=author, text=text)
    await log.append(snapshot, [sent])


async def agent_takes_over(log: Log) -> None:
    snapshot = await log.load(CONVERSATION)
    move = take_over(snapshot.state, ANNA, NOW)
    await log.append(snapshot, move.events, state=move.state)


def sender_of(log: Log, *pigeons: Pigeon, now: datetime = NOW, **settings: float) -> Sender:
    worker = WorkerSettings.model_validate({"send_tries": 3, "send_backoff_s": 0.01, "lease_s": 0.6} | settings)
    return Sender(log, {pigeon.name: pigeon for pigeon in pigeons}, Settings(worker=worker), clock=lambda: now)


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[asyncio.Event]:
    """A sender at work, which is stopped in the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(sender.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def all_sent(log: Log) -> None:
    async def empty() -> bool:
        return sum([await log.redis.xlen(keys.outbox) for keys in log.keys]) == 0

    await eventually(empty)


async def deliver(log: Log, pigeon: Pigeon, sender: Sender | None = None) -> list[Event]:
    """Run a sender until the outbox is empty; return what became of the messages."""
    async with running(sender or sender_of(log, pigeon)):
        await all_sent(log)
    return await ends(log)


async def ends(log: Log) -> list[Event]:
    events = [one.event for one in await log.read(CONVERSATION)]
    return [one for one in events if isinstance(one, MessageDelivered | MessageDropped | MessageFailed)]


async def test_messages_are_delivered_in_order_part_by_part(log: Log) -> None:
    await say(log, "one two", number=1)
    await say(log, "three", number=2)
    pigeon = Pigeon()
    events = await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two.", "three."]
    assert [(e.message, e.channel_message, e.repeated) for e in events] == [("m1", "p2", 0), ("m2", "p3", 0)]
    assert await log.redis.hlen(log.keys_of(CONVERSATION).sending) == 0


async def test_a_part_that_is_out_is_not_sent_again(log: Log) -> None:
    await say(log, "one two")
    pigeon = Pigeon(None, RetryLater("no answer"))
    (delivered,) = await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two."]
    assert delivered.repeated == 0


async def test_each_uncertain_failure_is_counted_as_a_possible_repetition(log: Log) -> None:
    await say(log, "one")
    lost = RetryLater("timed out", uncertain=True)
    (delivered,) = await deliver(log, Pigeon(lost, RetryLater("down"), lost))
    assert delivered.repeated == 2


async def test_the_last_uncertain_failure_is_counted_in_the_dead_letter(log: Log) -> None:
    await say(log, "one")
    (failed,) = await deliver(log, Pigeon(*[RetryLater("timed out", uncertain=True)] * 3))
    (letter,) = await Outbox(log).dead()
    assert (failed.type, failed.repeated, letter.repeated) == ("message_failed", 3, 3)
    await Outbox(log).drop(MessageId("m1"))
    assert (await ends(log))[-1].repeated == 3


async def test_a_platform_that_asks_to_wait_costs_no_try(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "MIN_WAIT_S", 0.01)
    await say(log, "one")
    pigeon = Pigeon(*[RetryLater("slow down", after_s=0.01)] * 5)
    events = await deliver(log, pigeon, sender_of(log, pigeon, send_tries=2))
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
    await agent_takes_over(log)
    pigeon = Pigeon()
    dropped, delivered = await deliver(log, pigeon)
    assert isinstance(dropped, MessageDropped)
    assert dropped.why == "taken_over"
    assert isinstance(delivered, MessageDelivered)
    assert pigeon.carried == ["system."]


async def test_an_unknown_channel_is_a_dead_letter(log: Log) -> None:
    await say(log, "one")
    async with running(sender_of(log)):
        (letter,) = await eventually(Outbox(log).dead)
    assert letter.error == "the channel is not configured"


@pytest.mark.parametrize(
    "error", [ValueError("the platform's words"), asyncio.CancelledError()], ids=lambda one: type(one).__name__
)
async def test_an_unexpected_error_is_a_failure_that_counts(log: Log, error: BaseException) -> None:
    await say(log, "one", number=1)
    pigeon = Pigeon(*[error] * 4)
    (failed,) = await deliver(log, pigeon)
    assert (pigeon.calls, failed.type, failed.error) == (3, "message_failed", f"unexpected {type(error).__name__}")
    await say(log, "two", number=2)
    (_, delivered) = await deliver(log, pigeon)
    assert (delivered.message, delivered.repeated) == ("m2", 1)


async def test_a_sender_that_is_stopped_records_what_it_sends(log: Log) -> None:
    await say(log, "one two")
    pigeon = Pigeon()
    pigeon.free.clear()
    async with running(sender_of(log, pigeon)) as stop:
        await eventually(lambda: pigeon.carried)
        stop.set()
        await asyncio.sleep(0.8)
        assert await log.redis.get(log.keys_of(CONVERSATION).lease("sender")), "kept beyond lease_s, for the call"
        pigeon.free.set()
    assert pigeon.carried == ["one"]
    (delivered,) = await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two."]
    assert delivered.repeated == 0


async def test_a_sender_that_joins_repeats_nothing(log: Log) -> None:
    conversations = [ConversationId(f"pigeon:c{number}") for number in range(8)]
    for conversation in conversations:
        await say(log, "one", conversation=conversation)
    pigeon = Pigeon()
    pigeon.free.clear()
    first, second = sender_of(log, pigeon), sender_of(log, pigeon)
    async with running(first):
        await eventually(lambda: len(pigeon.carried) == 8)
        async with running(second):

            async def joined() -> bool:
                return await log.redis.zcard("fd:members:sender") == 2

            await eventually(joined)
            await asyncio.sleep(0.8)
            pigeon.free.set()
            await all_sent(log)
    assert len(pigeon.carried) == 8


async def test_what_is_out_is_recorded_however_often_that_fails(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    await say(log, "one")
    pigeon = Pigeon()
    sender = sender_of(log, pigeon)
    real, failures = sender._outbox.delivered, 3

    async def delivered(*arguments) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise RedisConnectionError("gone")
        return await real(*arguments)

    monkeypatch.setattr(sender._outbox, "delivered", delivered)
    (event,) = await deliver(log, pigeon, sender)
    assert (pigeon.carried, event.repeated, failures) == (["one."], 0, 0)


async def test_an_entry_that_was_settled_elsewhere_is_left_alone(log: Log) -> None:
    await say(log, "one")
    (waiting,) = await Outbox(log).waiting()
    pigeon = Pigeon()
    sender = sender_of(log, pigeon)
    async with running(sender):
        await all_sent(log)
        async with asyncio.timeout(5):
            await sender.deliver(waiting.entry)
    assert pigeon.carried == ["one."]
    assert await log.redis.hlen(log.keys_of(CONVERSATION).sending) == 0


async def test_a_sender_without_the_lease_sends_nothing(log: Log) -> None:
    await say(log, "one")
    (waiting,) = await Outbox(log).waiting()
    pigeon, mine = Pigeon(), Pigeon()
    other = asyncio.create_task(sender_of(log, pigeon).deliver(waiting.entry))
    await deliver(log, mine)
    async with asyncio.timeout(5):
        await other
    assert (pigeon.carried, mine.carried) == ([], ["one."])


async def test_a_reply_that_waits_for_its_turn_is_dropped_after_takeover(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "SENDS_AT_ONCE", 1)
    await say(log, "slow", conversation=ConversationId("pigeon:other"))
    pigeon = Pigeon()
    pigeon.free.clear()
    async with running(sender_of(log, pigeon)):
        await eventually(lambda: pigeon.carried)
        await say(log, "bot")
        await asyncio.sleep(0.2)
        await agent_takes_over(log)
        pigeon.free.set()
        await all_sent(log)
    assert pigeon.carried == ["slow."]
    assert [event.type for event in await ends(log)] == ["message_dropped"]


async def test_the_reply_that_hands_over_is_delivered(log: Log) -> None:
    snapshot = await log.load(CONVERSATION)
    move = hand_over(snapshot.state, Handoff(Reason.COMPLAINT, Priority.P2), NOW)
    sent = MessageSent(at=NOW, message=MessageId("m1"), author=Author.BOT, text="sorry")
    await log.append(snapshot, [sent, *move.events], state=move.state)
    pigeon = Pigeon()
    await deliver(log, pigeon)
    assert pigeon.carried == ["sorry."]


async def test_a_dead_letter_of_the_bot_is_not_sent_while_an_agent_answers(log: Log) -> None:
    await say(log, "bot")
    await deliver(log, Pigeon(Undeliverable("blocked")))
    await agent_takes_over(log)
    await Outbox(log).retry(MessageId("m1"))
    pigeon = Pigeon()
    _, dropped = await deliver(log, pigeon)
    assert (pigeon.carried, dropped.type) == ([], "message_dropped")


async def test_a_half_sent_dead_letter_goes_on_where_it_stopped(log: Log) -> None:
    await say(log, "one two")
    pigeon = Pigeon(None, Undeliverable("blocked"))
    await deliver(log, pigeon)
    await Outbox(log).retry(MessageId("m1"))
    await deliver(log, pigeon)
    assert pigeon.carried == ["one", "two."]


async def test_a_platform_is_never_called_without_a_pause(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "MIN_WAIT_S", 0.2)
    await say(log, "one")
    begun = asyncio.get_running_loop().time()
    await deliver(log, Pigeon(*[RetryLater("now", after_s=0)] * 3))
    assert asyncio.get_running_loop().time() - begun > 0.6


async def test_a_message_that_grows_old_waiting_is_a_dead_letter(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "MIN_WAIT_S", 0.01)
    await say(log, "one")
    late = NOW + timedelta(hours=25)
    (failed,) = await deliver(
        log, pigeon := Pigeon(*[RetryLater("slow down", after_s=0.01)] * 3), sender_of(log, pigeon, now=late)
    )
    assert (failed.type, failed.error, pigeon.calls) == ("message_failed", "slow down", 1)
    await Outbox(log).retry(MessageId("m1"))
    again = sender_of(log, pigeon, now=datetime.now(UTC) + timedelta(hours=1))
    await deliver(log, pigeon, again)
    assert pigeon.carried == ["one."], "an operator's retry gives it its time again"


async def test_a_channel_that_hangs_holds_up_no_other(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "SENDS_AT_ONCE", 4)
    for number in range(20):
        await say(log, "one", conversation=ConversationId(f"owl:c{number}"))
    owl, pigeon = Pigeon(name="owl"), Pigeon()
    owl.free.clear()
    async with running(sender_of(log, owl, pigeon)):
        await eventually(lambda: len(owl.carried) == 4)
        await say(log, "one")
        await eventually(lambda: pigeon.carried)
        assert len(owl.carried) == 4
        owl.free.set()
        await all_sent(log)
    assert len(owl.carried) == 20
