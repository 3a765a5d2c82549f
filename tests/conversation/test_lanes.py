"""Lanes keep order, stop for nothing but a cancellation, and end when they are told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.conversation import lanes as lanes_module
from bot.conversation.ids import ConversationId
from bot.conversation.lanes import ENTRY_BYTES, Lanes
from bot.conversation.log import Log
from tests.conftest import eventually

Entry = tuple[str, str]


def parse(place: str, fields: Mapping[str, str]) -> tuple[ConversationId, Entry]:
    """An entry says `conversation text`."""
    conversation, text = fields["m"].split(" ")
    return ConversationId(conversation), (place, text)


@asynccontextmanager
async def reading(log: Log, handle: Callable[[Entry, bool], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(Lanes(log, parse, handle, asyncio.Semaphore(4)).run(log.keys[0].inbox))
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def put(log: Log, *entries: str) -> list[str]:
    return [await log.redis.xadd(log.keys[0].inbox, {"m": entry}) for entry in entries]


class Handler:
    """Takes entries out of the stream; before that it does what the test planned."""

    def __init__(self, log: Log, *plan: BaseException) -> None:
        self.log = log
        self.plan = list(plan)
        self.handled: list[str] = []
        self.begun: list[tuple[str, bool]] = []

    async def __call__(self, entry: Entry, new: bool) -> None:
        self.begun.append((entry[1], new))
        if self.plan:
            raise self.plan.pop(0)
        place, text = entry
        await self.log.redis.xdel(self.log.keys[0].inbox, place)
        self.handled.append(text)


@pytest.mark.parametrize(
    "failure", [OSError(), ValueError("a bug"), asyncio.CancelledError()], ids=lambda one: type(one).__name__
)
async def test_a_failure_is_tried_again_in_order(log: Log, failure: BaseException) -> None:
    handler = Handler(log, failure)
    await put(log, "a a1", "a a2")
    async with reading(log, handler):
        await eventually(lambda: handler.handled == ["a1", "a2"])
        await put(log, "a a3")
        await eventually(lambda: handler.handled == ["a1", "a2", "a3"])


async def test_an_entry_is_new_if_it_comes_while_its_stream_is_read_and_was_not_begun(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "BATCH", 2)
    handler = Handler(log)
    await put(log, "a a1", "a a2", "a a3")
    async with reading(log, handler):
        await eventually(lambda: handler.handled == ["a1", "a2", "a3"])
        await put(log, "a a4")
        await eventually(lambda: len(handler.handled) == 4)
        handler.plan = [OSError()]
        await put(log, "a a5")
        await eventually(lambda: len(handler.handled) == 5)
    old = [("a1", False), ("a2", False), ("a3", False)]
    assert handler.begun == [*old, ("a4", True), ("a5", True), ("a5", False)]


async def test_an_entry_that_can_not_be_read_is_laid_aside(log: Log) -> None:
    handler = Handler(log)
    await put(log, "a a1", "nonsense", "a a2")
    (entry,) = [place for place, fields in await log.redis.xrange(log.keys[0].inbox) if fields["m"] == "nonsense"]
    await log.redis.xadd(log.keys[0].inbox, {"x": "not even m"})
    async with reading(log, handler):
        await eventually(lambda: handler.handled == ["a1", "a2"])

        async def aside() -> bool:
            return await log.redis.xlen(log.keys[0].rejected) == 2

        await eventually(aside)
    rows = await log.redis.xrange(log.keys[0].rejected)
    assert rows[0][1] == {"stream": log.keys[0].inbox, "entry": entry, "m": "nonsense"}
    assert await log.redis.xlen(log.keys[0].inbox) == 0


async def test_many_that_wait_do_not_hold_up_the_others(log: Log) -> None:
    handled: list[str] = []

    async def handle(entry: Entry, _: bool) -> None:
        if entry[1] == "down":
            await asyncio.Event().wait()
        await log.redis.xdel(log.keys[0].inbox, entry[0])
        handled.append(entry[1])

    async with log.redis.pipeline() as pipe:
        for number in range(1500):
            pipe.xadd(log.keys[0].inbox, {"m": f"c{number} down"})
        await pipe.execute()
    await put(log, "a up")
    running = asyncio.create_task(Lanes(log, parse, handle, contextlib.nullcontext()).run(log.keys[0].inbox))
    await eventually(lambda: handled == ["up"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_reading_stops_while_too_much_waits(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "MAX_WAITING_BYTES", 3 * ENTRY_BYTES)
    monkeypatch.setattr(lanes_module, "BATCH", 1)
    begun: list[str] = []
    go_on = asyncio.Event()

    async def handle(entry: Entry, _: bool) -> None:
        begun.append(entry[1])
        await go_on.wait()
        await log.redis.xdel(log.keys[0].inbox, entry[0])

    await put(log, *[f"c{number} {number}" for number in range(6)])
    running = asyncio.create_task(Lanes(log, parse, handle, contextlib.nullcontext()).run(log.keys[0].inbox))
    await eventually(lambda: len(begun) == 3)
    await asyncio.sleep(0.2)
    assert len(begun) == 3
    go_on.set()
    await eventually(lambda: len(begun) == 6)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_entry_that_is_back_after_a_failover_is_handled(log: Log) -> None:
    handler = Handler(log)
    await put(log, "a a1")
    async with reading(log, handler):
        await eventually(lambda: handler.handled == ["a1"])
        # The Redis that takes over has lost an acknowledgement, and all connections break.
        await log.redis.delete(log.keys[0].inbox)
        await log.redis.xadd(log.keys[0].inbox, {"m": "b back"}, id="1000-0")
        number = log.redis.connection_pool.connection_kwargs["db"]
        clients = [one for one in await log.redis.client_list() if int(one["db"]) == number and one["cmd"] == "xread"]
        assert clients
        for one in clients:
            await log.redis.client_kill_filter(_id=one["id"])
        await eventually(lambda: handler.handled == ["a1", "back"])
    assert handler.begun[-1] == ("back", False)


async def test_an_entry_is_not_queued_twice_after_a_failover(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    real = lanes_module._read

    async def read(*arguments: Any) -> list[lanes_module.Row]:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise RedisConnectionError("gone")
        return await real(*arguments)

    monkeypatch.setattr(lanes_module, "_read", read)
    begun: list[str] = []
    go_on = asyncio.Event()

    async def handle(entry: Entry, _: bool) -> None:
        begun.append(entry[1])
        await go_on.wait()
        await log.redis.xdel(log.keys[0].inbox, entry[0])

    await put(log, "a a1", "a a2")
    running = asyncio.create_task(Lanes(log, parse, handle, asyncio.Semaphore(4)).run(log.keys[0].inbox))
    await eventually(lambda: reads >= 4)
    go_on.set()
    await put(log, "a a3")
    await eventually(lambda: "a3" in begun)
    assert begun == ["a1", "a2", "a3"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Swallowing:
    """A Redis client that loses a cancellation, as the real one does when it comes at a bad moment."""

    def __init__(self) -> None:
        self.redis = self
        self.reading = asyncio.Event()
        self.answer: list[Any] = []

    def register_script(self, _: str) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def xread(self, *_: object, **__: object) -> list[Any]:
        self.reading.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
        answer, self.answer = self.answer, []
        return answer


@pytest.fixture
def swallowing(monkeypatch: pytest.MonkeyPatch) -> Swallowing:
    monkeypatch.setattr(lanes_module, "reader", lambda redis, _: redis)
    return Swallowing()


async def test_a_swallowed_cancellation_still_ends_the_reading(swallowing: Swallowing) -> None:
    lanes = Lanes[str](swallowing, lambda place, _: (ConversationId("web:a"), place), None, None)
    task = asyncio.create_task(lanes.run("stream"))
    await swallowing.reading.wait()
    task.cancel()
    async with asyncio.timeout(5):
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_swallowed_cancellation_still_ends_a_lane(swallowing: Swallowing) -> None:
    swallowing.answer = [("stream", [("1-0", {}), ("2-0", {})])]
    handling, handled = asyncio.Event(), []

    async def handle(entry: str, _: bool) -> None:
        handled.append(entry)
        handling.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    lanes = Lanes(swallowing, lambda place, _: (ConversationId("web:a"), place), handle, asyncio.Semaphore(1))
    task = asyncio.create_task(lanes.run("stream"))
    await handling.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)
    assert handled == ["1-0"]
