"""Work that one process does at a time ends when it is told to."""

import asyncio

import pytest

from bot.channels.alone import Alone
from bot.conversation.log import Log
from tests.conftest import eventually


async def test_work_ends_even_if_a_call_swallows_the_cancellation(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Alone(log.redis, "fd:test", 0.06)
    begun, asked = asyncio.Event(), asyncio.Event()

    async def renew(**_: object) -> int:
        if begun.is_set():
            asked.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return 1  # as Python 3.11's wait_for does when both come at once
        return 1

    async def work() -> None:
        begun.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(alone, "_renew", renew)
    task = asyncio.create_task(alone.run(work))
    await asyncio.wait_for(asked.wait(), 5)
    task.cancel()
    await eventually(task.done, "the end", timeout_s=30)
    assert task.cancelled()
