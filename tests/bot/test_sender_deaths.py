"""Wherever the sender dies: no message is lost, the order holds, and each repetition is counted.

Real sender processes, real Redis, and a Telegram that speaks HTTP.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from bot.channels.telegram import Api, TelegramChannel
from bot.conversation.connect import connect
from bot.conversation.events import Author, MessageDelivered, MessageDropped, MessageFailed, MessageSent
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.outbox import Outbox
from bot.conversation.ownership import Agent, take_over
from bot.embedded.redis import RedisServer
from bot.embedded.server import socket_folder
from bot.sender import Sender
from bot.settings import Settings
from tests.bot.dying_sender import DIED, Point, started
from tests.conftest import eventually
from tests.fakes.telegram_server import TOKEN, TelegramServer

CHAT = 1001
CONVERSATION = ConversationId(f"telegram:{CHAT}")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEASE_S = 0.5
LONG = "A sentence. " * 500
"""Two messages of Telegram's."""
SLOW_S = 1.5
"""How long the platform takes for a call in which the sender is killed or frozen."""
DAYS_S = 1e9
END_S = 30.0
IN_CALL = "while the platform has the call and did not answer"


class Story:
    """A conversation to which the bot says things, and the senders that deliver them, one after the other."""

    def __init__(self, log: Log, redis_url: str, telegram: TelegramServer) -> None:
        self.log = log
        self.outbox = Outbox(log)
        self.telegram = telegram
        self.settings = Settings.model_validate(
            {
                "redis": {"url": redis_url, "partitions": log.partitions},
                "telegram": {"token": TOKEN, "base_url": telegram.base_url, "timeout_s": 30.0},
                "worker": {"lease_s": LEASE_S, "send_backoff_s": 0.01, "send_max_age_s": DAYS_S},
            }
        )

    async def say(self, *texts: str) -> None:
        for number, text in enumerate(texts, start=1):
            snapshot = await self.log.load(CONVERSATION)
            sent = MessageSent(at=NOW, message=MessageId(f"m{number}"), author=Author.BOT, text=text)
            await self.log.append(snapshot, [sent])

    async def die(self, point: Point | str) -> None:
        """Let a sender work until it dies at a point."""
        if point == IN_CALL:
            calls = self.telegram.state.calls
            known = len(calls)
            self.telegram.fault("sendMessage", "slow", seconds=SLOW_S)
            with started(Point.NEVER, self.settings):
                await eventually(lambda: len(calls) > known, "a call", END_S)
            await eventually(lambda: calls[known]["done"], "the end of the call")
            assert len(calls) == known + 1
            return
        with started(Point(point), self.settings) as process:
            await asyncio.to_thread(process.join, END_S)
            assert process.exitcode == DIED

    async def finish(self) -> None:
        """Let a sender work until nothing is left, and stop it in order."""
        with started(Point.NEVER, self.settings) as process:
            await eventually(self.empty, "an empty outbox", END_S)
            process.terminate()
            await asyncio.to_thread(process.join, END_S)
            assert process.exitcode == 0

    async def empty(self) -> bool:
        return sum([await self.log.redis.xlen(keys.outbox) for keys in self.log.keys]) == 0

    def received(self) -> list[tuple[str, int]]:
        """Return what the customer got, in order: how each text begins, and how often it came in a row."""
        return [(text, len(list(same))) for text, same in groupby(self.telegram.texts(CHAT))]

    async def ends(self) -> list[tuple[str, int]]:
        """Return what became of the messages, and what is counted as repeated."""
        events = [one.event for one in await self.log.read(CONVERSATION)]
        known = [one for one in events if isinstance(one, MessageDelivered | MessageFailed | MessageDropped)]
        return [(one.type.removeprefix("message_"), one.repeated) for one in known]


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


@pytest.fixture
def story(log: Log, redis_url: str, telegram: TelegramServer) -> Story:
    return Story(log, redis_url, telegram)


@pytest.mark.parametrize(
    ("deaths", "received", "counted"),
    [
        ([Point.BEFORE_BEGIN], 1, 0),
        # From outside, a sender that died before its call can't be told from one that died after it.
        ([Point.BEFORE_CALL], 1, 1),
        ([IN_CALL], 2, 1),
        ([Point.AFTER_CALL], 2, 1),
        ([Point.AFTER_RECORD], 1, 0),
        ([Point.AFTER_CALL, Point.AFTER_CALL], 3, 2),
        ([Point.AFTER_CALL, IN_CALL, Point.AFTER_CALL], 4, 3),
        ([Point.AFTER_CALL, Point.BEFORE_BEGIN, Point.BEFORE_CALL], 2, 2),
        ([IN_CALL, Point.AFTER_CALL, Point.AFTER_RECORD], 3, 2),
    ],
    ids=lambda value: " | ".join(value) if isinstance(value, list) else None,
)
async def test_each_death_that_may_repeat_a_message_is_counted(
    story: Story, deaths: list[Point | str], received: int, counted: int
) -> None:
    await story.say("one", "two")
    for point in deaths:
        await story.die(point)
    await story.finish()
    assert story.received() == [("one", received), ("two", 1)]
    assert await story.ends() == [("delivered", counted), ("delivered", 0)]


async def test_a_long_message_goes_on_with_the_part_at_which_the_sender_died(story: Story) -> None:
    await story.say(LONG, "two")
    for point in (Point.AFTER_CALL, Point.AFTER_CALL, Point.AFTER_PART, Point.AFTER_CALL):
        await story.die(point)
    await story.finish()
    assert [times for _, times in story.received()] == [3, 2, 1]
    assert await story.ends() == [("delivered", 3), ("delivered", 0)]


async def test_each_answer_that_is_lost_is_counted_and_nothing_else_sends_again(story: Story) -> None:
    await story.say("one", "two")
    story.telegram.fault("sendMessage", "drop_after", times=2)
    await story.finish()
    assert story.received() == [("one", 3), ("two", 1)]
    assert await story.ends() == [("delivered", 2), ("delivered", 0)]


async def test_a_message_that_fails_or_is_dropped_after_a_death_may_have_arrived(story: Story) -> None:
    await story.say("one", "two")
    await story.die(Point.AFTER_CALL)
    story.telegram.fault("sendMessage", "403")
    await story.die(Point.AFTER_RECORD)
    assert await story.ends() == [("failed", 1), ("delivered", 0)]
    await story.outbox.retry(MessageId("m1"))
    await story.die(Point.AFTER_CALL)
    snapshot = await story.log.load(CONVERSATION)
    move = take_over(snapshot.state, Agent(AgentId("anna"), "Anna"), NOW)
    await story.log.append(snapshot, move.events, state=move.state)
    await story.finish()
    assert story.received() == [("one", 1), ("two", 1), ("one", 1)]
    assert (await story.ends())[2:] == [("dropped", 2)]


async def test_a_sender_that_was_frozen_in_a_call_has_no_say_when_it_wakes(story: Story) -> None:
    await story.say("one")
    story.telegram.fault("sendMessage", "slow", seconds=SLOW_S)
    with started(Point.NEVER, story.settings) as frozen:
        await eventually(lambda: story.telegram.state.calls, "a call", END_S)
        os.kill(frozen.pid, signal.SIGSTOP)
        await story.finish()
        await eventually(lambda: story.received() == [("one", 2)])
        await story.say("two")
        os.kill(frozen.pid, signal.SIGCONT)
        await eventually(story.empty, "an empty outbox", END_S)
    assert story.received() == [("one", 2), ("two", 1)]
    assert await story.ends() == [("delivered", 1), ("delivered", 0)]


@pytest.fixture
async def durable(tmp_path: Path, telegram: TelegramServer) -> AsyncIterator[tuple[RedisServer, Story]]:
    """A Redis that writes as an installation's does, to be killed."""
    with RedisServer(tmp_path / "redis", socket_folder(tmp_path), tmp_path / "redis.log") as server:
        redis = connect(server.url, 5.0)
        try:
            yield server, Story(Log(redis, partitions=4), server.url, telegram)
        finally:
            await redis.aclose()


@pytest.mark.parametrize(
    ("point", "received", "counted"), [(Point.AFTER_CALL, 2, 1), (Point.AFTER_PART, 1, 0), (Point.AFTER_RECORD, 1, 0)]
)
async def test_what_was_recorded_outlives_redis(
    durable: tuple[RedisServer, Story], point: Point, received: int, counted: int
) -> None:
    server, story = durable
    await story.say(LONG if point is Point.AFTER_PART else "one", "two")
    await story.die(point)
    server.kill()
    server.start()
    await story.finish()
    assert next(times for _, times in story.received()) == received
    assert await story.ends() == [("delivered", counted), ("delivered", 0)]


@pytest.mark.parametrize("step", ["_begin", "_note", "_settle"])
async def test_a_redis_that_dies_between_a_record_and_its_answer_repeats_nothing(
    durable: tuple[RedisServer, Story], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, story = durable
    telegram = story.settings.telegram
    assert telegram.token
    await story.say(LONG, "two")
    async with Api(telegram.token, telegram) as api:
        sender = Sender(story.log, {"telegram": TelegramChannel(api)}, story.settings)
        real, deaths = getattr(sender._outbox, step), 0

        async def deadly(**arguments):
            nonlocal deaths
            answer = await real(**arguments)
            if deaths:
                return answer
            deaths += 1
            server.kill()
            server.start()
            return await real(**arguments)  # as the client does by itself when an answer is lost

        monkeypatch.setattr(sender._outbox, step, deadly)
        stop = asyncio.Event()
        work = asyncio.create_task(sender.run(stop))
        await eventually(story.empty, "an empty outbox", END_S)
        stop.set()
        await work
    assert deaths == 1
    assert [times for _, times in story.received()] == [1, 1, 1]
    assert await story.ends() == [("delivered", 0), ("delivered", 0)]
