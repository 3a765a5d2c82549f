"""The one write path: atomic, in order, once."""

import asyncio
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from bot.conversation.connect import open_log
from bot.conversation.errors import ConfigError, Conflict
from bot.conversation.events import Author, MessageDelivered, MessageSent, NoteAdded, Priority, Reason
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import AlreadyDone, Log
from bot.conversation.messages import Inbound, InboxEntry
from bot.conversation.ownership import Agent, claim, hand_over, return_to_bot, take_over
from bot.conversation.state import QUEUE, Handoff, State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA = Agent(AgentId("anna"), "Anna")
BEN = Agent(AgentId("ben"), "Ben")


def inbound(text: str = "hello", channel: str = "telegram", number: int = 1) -> Inbound:
    return Inbound(
        channel=channel,
        customer="c1",
        channel_message=str(number),
        text=text,
        received_at=NOW,
        message=MessageId(f"m{number}"),
    )


def said(text: str) -> MessageSent:
    return MessageSent(at=NOW, message=MessageId(f"r-{text}"), author=Author.BOT, text=text)


async def only_entry(log: Log, conversation: ConversationId) -> InboxEntry:
    ((place, fields),) = await log.redis.xrange(log.keys_of(conversation).inbox)
    return InboxEntry(entry=place, inbound=Inbound.model_validate_json(fields["m"]))


async def test_a_platform_message_is_accepted_once(log: Log) -> None:
    first = await log.accept(inbound())
    again = await log.accept(inbound().model_copy(update={"message": MessageId("other")}))
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.message == first.message
    await only_entry(log, first.conversation)


async def test_an_append_does_all_of_a_turn(log: Log) -> None:
    accepted = await log.accept(inbound())
    entry = await only_entry(log, accepted.conversation)
    before = await log.load(accepted.conversation)
    after = await log.append(before, [said("hi")], state=before.state, assistant='{"slots":{}}', ack=entry)
    keys = log.keys_of(accepted.conversation)
    assert (after.version, after.seq, after.assistant) == (1, 1, '{"slots":{}}')
    assert await log.load(accepted.conversation) == after
    assert [one.event for one in await log.read(accepted.conversation)] == [said("hi")]
    assert await log.redis.xlen(keys.events) == await log.redis.xlen(keys.outbox) == 1
    assert await log.redis.xlen(keys.inbox) == 0


async def test_an_append_on_an_old_version_writes_nothing(log: Log) -> None:
    snapshot = await log.load(ConversationId("telegram:c1"))
    await log.append(snapshot, [said("first")])
    with pytest.raises(Conflict, match="is at version 1, not 0"):
        await log.append(snapshot, [said("second")])
    assert len(await log.read(snapshot.conversation)) == 1


async def test_a_turn_done_again_finds_its_entry_acknowledged(log: Log) -> None:
    accepted = await log.accept(inbound())
    entry = await only_entry(log, accepted.conversation)
    await log.append(await log.load(accepted.conversation), [said("once")], ack=entry)
    with pytest.raises(AlreadyDone):
        await log.append(await log.load(accepted.conversation), [said("twice")], ack=entry)
    assert len(await log.read(accepted.conversation)) == 1


async def test_mailbox_channels_are_delivered_in_the_same_append(log: Log) -> None:
    accepted = await log.accept(inbound(channel="web"))
    entry = await only_entry(log, accepted.conversation)
    await log.append(await log.load(accepted.conversation), [said("hi")], ack=entry)
    mail = await log.mail(accepted.conversation)
    assert [(item.mail.kind, item.mail.author, item.mail.text) for item in mail] == [
        ("message", Author.CUSTOMER, "hello"),
        ("message", Author.BOT, "hi"),
        ("done", Author.SYSTEM, ""),
    ]
    assert [item.mail.text for item in await log.mail(accepted.conversation, after=mail[0].place)] == ["hi", ""]
    assert await log.redis.xlen(log.keys_of(accepted.conversation).outbox) == 0


async def test_a_mailbox_says_when_a_person_has_left(log: Log) -> None:
    snapshot = await log.load(ConversationId("web:c1"))
    taken = take_over(snapshot.state, ANNA, NOW)
    snapshot = await log.append(snapshot, taken.events, state=taken.state)
    assert await log.mail(snapshot.conversation) == []
    left = return_to_bot(snapshot.state, ANNA, NOW)
    await log.append(snapshot, left.events, state=left.state)
    mail = [item.mail for item in await log.mail(snapshot.conversation)]
    assert [(one.kind, one.author, one.message) for one in mail] == [("done", Author.AGENT, "")]


async def test_of_two_agents_who_claim_at_once_one_wins(log: Log) -> None:
    conversation = ConversationId("web:c1")
    snapshot = await log.load(conversation)
    move = hand_over(snapshot.state, Handoff(Reason.CUSTOMER_REQUEST, Priority.P3), NOW)
    queued = await log.append(snapshot, move.events, state=move.state)

    async def attempt(agent: Agent) -> str:
        decided = claim(queued.state, agent, NOW)
        return (await log.append(queued, decided.events, state=decided.state)).state.owner

    results = await asyncio.gather(attempt(ANNA), attempt(BEN), return_exceptions=True)
    assert sorted(type(result) for result in results if not isinstance(result, str)) == [Conflict]
    assert (await log.load(conversation)).state.owner in results


async def test_the_queue_orders_by_priority_then_by_waiting_time(log: Log) -> None:
    for number, priority in enumerate([Priority.P3, Priority.P1, Priority.P3]):
        snapshot = await log.load(ConversationId(f"web:c{number}"))
        at = NOW.replace(minute=number)
        move = hand_over(snapshot.state, Handoff(Reason.CUSTOMER_REQUEST, priority), at)
        queued = await log.append(snapshot, move.events, state=move.state)
        assert queued.state.owner == QUEUE
    assert await log.queue_position(Priority.P1, NOW.replace(minute=30).timestamp()) == 2
    assert await log.queue_position(Priority.P3, NOW.replace(minute=1).timestamp()) == 3
    assert await log.queue_position(Priority.P4, NOW.timestamp()) == 4
    decided = claim(queued.state, ANNA, NOW)
    await log.append(queued, decided.events, state=decided.state)
    assert await log.queue_position(Priority.P4, NOW.timestamp()) == 3


async def test_an_append_whose_answer_was_lost_is_known_again(log: Log) -> None:
    snapshot = await log.load(ConversationId("web:c1"))
    calls = []
    append = log._append

    async def twice(**arguments: object) -> object:
        calls.append(await append(**arguments))
        return await append(**arguments)

    log._append = twice  # type: ignore[assignment]  # the client sends the command again, as after a lost connection
    after = await log.append(snapshot, [said("once")])
    assert calls == [["ok", 1, 1]]
    assert after.version == 1
    assert len(await log.read(snapshot.conversation)) == 1


def test_taking_over_twice_is_refused() -> None:
    taken = take_over(State(), ANNA, NOW)
    with pytest.raises(Conflict, match="is with Anna already"):
        take_over(taken.state, BEN, NOW)


async def test_another_number_of_partitions_is_refused(redis: Redis) -> None:
    await open_log(redis, 4)
    await open_log(redis, 4)
    with pytest.raises(ConfigError, match="kept in 4"):
        await open_log(redis, 8)


def test_events_survive_their_json() -> None:
    from bot.conversation.events import dump_event, load_event

    for event in (
        NoteAdded(at=NOW, agent=AgentId("a"), agent_name="A", text="été 🎈 \u202e"),
        MessageDelivered(at=NOW, message=MessageId("m")),
        said("x"),
    ):
        assert load_event(dump_event(event)) == event
