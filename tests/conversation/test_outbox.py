"""The outbox: leave to send is given in one step, and what ends or returns does so as a whole."""

from datetime import UTC, datetime

import pytest

from bot.conversation.errors import NotFound
from bot.conversation.events import Author, MessageDelivered, MessageDropped, MessageSent
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.messages import OutboxEntry
from bot.conversation.outbox import Leave, Outbox, Progress
from bot.conversation.ownership import Agent, return_to_bot, take_over
from bot.conversation.state import State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONVERSATION = ConversationId("pigeon:c1")
ANNA = Agent(AgentId("anna"), "Anna")


async def entry_of(log: Log, author: Author = Author.BOT) -> OutboxEntry:
    """Say something under the lease of a sender called "me", and return what lies in the outbox."""
    await log.redis.set(log.keys_of(CONVERSATION).lease("sender"), "me")
    snapshot = await log.load(CONVERSATION)
    await log.append(snapshot, [MessageSent(at=NOW, message=MessageId("m1"), author=author, text="one")])
    (waiting,) = await Outbox(log).waiting()
    return waiting.entry


async def move(log: Log, decide) -> State:
    snapshot = await log.load(CONVERSATION)
    moved = decide(snapshot.state, ANNA, NOW)
    await log.append(snapshot, moved.events, state=moved.state)
    return moved.state


async def test_leave_to_send_is_recorded_with_the_progress(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    await outbox.note(entry, Progress(parts=1, error="«down»", since=NOW))
    leave, progress = await outbox.begin(entry, "me")
    assert (leave, progress) == (Leave.GO, Progress(parts=1, error="«down»", since=NOW, call=progress.call))
    assert progress.call
    assert await outbox.progress(entry) == progress


async def test_leave_is_refused_to_who_does_not_hold_the_lease(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    assert (await outbox.begin(entry, "another"))[0] is Leave.NOT_MINE
    await log.redis.delete(log.keys_of(CONVERSATION).lease("sender"))
    assert (await outbox.begin(entry, "me"))[0] is Leave.NOT_MINE
    assert await outbox.progress(entry) == Progress()


async def test_leave_is_refused_for_what_is_settled_and_nothing_is_left_behind(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    await outbox.delivered(entry, Progress(parts=1))
    assert (await outbox.begin(entry, "me"))[0] is Leave.GONE
    assert not await outbox.note(entry, Progress(tries=1))
    assert await log.redis.hlen(log.keys_of(CONVERSATION).sending) == 0


@pytest.mark.parametrize(("author", "leave"), [(Author.BOT, Leave.TAKEN_OVER), (Author.SYSTEM, Leave.GO)])
async def test_leave_is_refused_to_the_bot_once_the_owner_changed(log: Log, author: Author, leave: Leave) -> None:
    entry = await entry_of(log, author)
    await move(log, take_over)
    assert (await Outbox(log).begin(entry, "me"))[0] is leave
    await move(log, return_to_bot)
    assert (await Outbox(log).begin(entry, "me"))[0] is leave


async def test_a_dead_letter_returns_as_far_as_it_had_come(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    _, begun = await outbox.begin(entry, "me")
    await outbox.failed(entry, begun.model_copy(update={"tries": 3, "parts": 2}), "down")
    await outbox.retry(MessageId("m1"))
    (waiting,) = await outbox.waiting()
    assert (waiting.progress.tries, waiting.progress.parts, waiting.progress.repeated) == (0, 2, 1)


async def test_leave_that_is_asked_for_again_because_the_answer_was_lost_counts_nothing(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    once = outbox._begin

    async def twice(**arguments):
        await once(**arguments)
        return await once(**arguments)  # as the client does by itself

    outbox._begin = twice  # type: ignore[assignment]
    _, progress = await outbox.begin(entry, "me")
    assert progress.unknown == 1
    _, progress = await outbox.begin(entry, "me")
    assert (progress.repeated, progress.unknown) == (1, 2)


@pytest.mark.parametrize("parts", [1, 2])
async def test_a_sender_whose_call_another_has_counted_has_no_say(log: Log, parts: int) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    _, late = await outbox.begin(entry, "me")
    late = late.model_copy(update={"parts": 1, "call": ""})
    await log.redis.set(log.keys_of(CONVERSATION).lease("sender"), "another")
    _, now = await outbox.begin(entry, "another")
    for part in range(1, parts):
        now = now.model_copy(update={"parts": part, "call": ""})
        assert await outbox.note(entry, now)
    assert not await outbox.note(entry, late)
    assert not await outbox.delivered(entry, late)
    assert not await outbox.failed(entry, late, "down")
    assert await outbox.progress(entry) == now
    assert await outbox.delivered(entry, now.model_copy(update={"call": ""}))
    (event,) = [one.event for one in await log.read(CONVERSATION) if isinstance(one.event, MessageDelivered)]
    assert event.repeated == 1


async def test_a_record_that_redis_lost_does_not_stop_the_delivery(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    _, progress = await outbox.begin(entry, "me")
    await log.redis.delete(log.keys_of(CONVERSATION).sending)
    assert await outbox.note(entry, progress.model_copy(update={"parts": 1, "call": ""}))
    assert await outbox.delivered(entry, progress)


async def test_a_dead_letter_gets_the_present_ownership_only_if_that_is_the_bots(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    await outbox.failed(entry, Progress(), "down")
    await move(log, take_over)
    await outbox.retry(MessageId("m1"))
    (waiting,) = await outbox.waiting()
    assert waiting.entry.outbound.owner_version == 0
    await outbox.failed(waiting.entry, Progress(), "down")
    state = await move(log, return_to_bot)
    await outbox.retry(MessageId("m1"))
    (waiting,) = await outbox.waiting()
    assert waiting.entry.outbound.owner_version == state.owner_version > 0


async def test_a_dead_letter_is_dropped_once(log: Log) -> None:
    entry, outbox = await entry_of(log), Outbox(log)
    await outbox.failed(entry, Progress(), "down")
    first, second = await outbox._letter(MessageId("m1")), Outbox(log)
    await outbox.drop(MessageId("m1"))

    async def letter(_: MessageId):
        return first

    second._letter = letter  # type: ignore[method-assign]  # two operators read it before either drops it
    with pytest.raises(NotFound, match="no dead letter m1"):
        await second.drop(MessageId("m1"))
    recorded = await log.read(CONVERSATION)
    assert [one.event.why for one in recorded if isinstance(one.event, MessageDropped)] == ["dropped_by_operator"]
    assert [one.seq for one in recorded] == [1, 2, 3]


async def test_what_can_not_be_read_is_left_out_of_the_list(log: Log) -> None:
    entry = await entry_of(log)
    await log.redis.xadd(log.keys_of(CONVERSATION).outbox, {"m": '{"not": "ours"}'})
    await log.redis.xadd(log.keys_of(CONVERSATION).outbox, {"x": "y"})
    assert [waiting.entry for waiting in await Outbox(log).waiting()] == [entry]


async def test_a_field_of_a_newer_version_is_ignored(log: Log) -> None:
    entry = await entry_of(log)
    data = entry.outbound.model_dump_json()[:-1] + ', "urgency": "high"}'
    await log.redis.xadd(log.keys_of(CONVERSATION).outbox, {"m": data})
    assert [waiting.entry.outbound for waiting in await Outbox(log).waiting()] == [entry.outbound] * 2
