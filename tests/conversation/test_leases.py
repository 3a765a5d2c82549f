"""Partitions are shared evenly, move when a process dies, and keep their order."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from bot.conversation import leases as leases_module
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.lanes import Lanes
from bot.conversation.leases import Leases
from bot.conversation.log import Log
from bot.conversation.messages import Inbound
from tests.conftest import eventually

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Holder:
    def __init__(self, log: Log, lease_s: float = 0.6) -> None:
        self.held: set[int] = set()
        self.stop = asyncio.Event()
        self.leases = Leases(log, "worker", lease_s, self.work)
        self.task = asyncio.create_task(self.leases.run(self.stop))

    async def work(self, partition: int) -> None:
        self.held.add(partition)
        try:
            await asyncio.Event().wait()
        finally:
            self.held.discard(partition)

    async def end(self) -> None:
        self.stop.set()
        await self.task


async def test_partitions_are_shared_and_given_back(log: Log) -> None:
    first = Holder(log)
    await eventually(lambda: first.held == {0, 1, 2, 3})
    second = Holder(log)
    await eventually(lambda: len(first.held) == len(second.held) == 2)
    assert first.held | second.held == {0, 1, 2, 3}
    await first.end()
    await eventually(lambda: second.held == {0, 1, 2, 3})
    await second.end()


async def test_a_dead_holder_loses_its_leases(log: Log) -> None:
    first = Holder(log)
    await eventually(lambda: len(first.held) == 4)
    first.task.cancel()
    first.leases._leave = lambda: asyncio.sleep(0)  # type: ignore[method-assign]  # dies without a word
    second = Holder(log)
    await eventually(lambda: second.held == {0, 1, 2, 3})
    await second.end()


class Busy(Holder):
    """Its work is not over when it is told to end, but when it is `free`."""

    def __init__(self, log: Log) -> None:
        self.free = asyncio.Event()
        self.begun = 0
        super().__init__(log)

    async def work(self, partition: int) -> None:
        self.begun += 1
        try:
            await super().work(partition)
        finally:
            await self.free.wait()


async def test_a_lease_is_kept_until_its_work_is_over(log: Log) -> None:
    busy = Busy(log)
    await eventually(lambda: len(busy.held) == 4)
    other = Holder(log)
    await eventually(lambda: len(busy.held) == 2)
    await asyncio.sleep(1.0)
    assert (busy.begun, other.held) == (4, set()), "kept and renewed, beyond lease_s"
    busy.free.set()
    await eventually(lambda: len(other.held) == 2)
    assert len(busy.held) == 2
    await busy.end()
    await other.end()


async def test_work_that_does_not_end_loses_its_lease_but_is_not_doubled(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_module, "END_S", 0.3)
    busy = Busy(log)
    await eventually(lambda: len(busy.held) == 4)
    other = Holder(log)
    await eventually(lambda: len(other.held) == 2)
    await other.end()
    await asyncio.sleep(1.0)
    assert busy.begun == 4
    busy.free.set()
    await eventually(lambda: busy.begun == 6)
    await busy.end()


async def test_leaving_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "END_S", 0.3)
    busy = Busy(log)
    await eventually(lambda: len(busy.held) == 4)
    async with asyncio.timeout(5):
        await busy.end()
    assert await log.redis.get(log.keys[0].lease("worker")) is None
    busy.free.set()


async def test_lanes_keep_order_per_conversation_and_try_again(log: Log) -> None:
    handled: list[str] = []
    failures = 3

    async def handle(entry: tuple[str, Inbound], _: bool) -> None:
        nonlocal failures
        place, inbound = entry
        if inbound.text == "b1" and failures:
            failures -= 1
            raise OSError
        await asyncio.sleep(0)
        handled.append(inbound.text)
        await log.redis.xdel(log.keys_of(inbound.conversation).inbox, place)

    def parse(place: str, fields: Mapping[str, str]) -> tuple[ConversationId, tuple[str, Inbound]]:
        inbound = Inbound.model_validate_json(fields["m"])
        return inbound.conversation, (place, inbound)

    for number in range(1, 4):
        for customer in "ab":
            text = f"{customer}{number}"
            await log.accept(
                Inbound(
                    channel="web",
                    customer=customer,
                    channel_message=text,
                    text=text,
                    received_at=NOW,
                    message=MessageId(text),
                )
            )
    lanes = Lanes(log, parse, handle, asyncio.Semaphore(4))
    tasks = [asyncio.create_task(lanes.run(keys.inbox)) for keys in log.keys]
    await eventually(lambda: len(handled) == 6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [text for text in handled if text[0] == "a"] == ["a1", "a2", "a3"]
    assert [text for text in handled if text[0] == "b"] == ["b1", "b2", "b3"]
    assert failures == 0
