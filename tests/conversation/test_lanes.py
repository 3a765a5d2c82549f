"""Lanes end when they are told to."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from bot.conversation.ids import ConversationId
from bot.conversation.lanes import Lanes


class Swallowing:
    """A Redis client that loses a cancellation, as the real one does when it comes at a bad moment."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.answer: list[Any] = []

    async def xread(self, *_: object, **__: object) -> list[Any]:
        self.reading.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
        answer, self.answer = self.answer, []
        return answer


async def test_a_swallowed_cancellation_still_ends_the_reading() -> None:
    redis = Swallowing()
    lanes = Lanes[str](SimpleNamespace(redis=redis), lambda place, _: (ConversationId("web:a"), place), None, None)
    task = asyncio.create_task(lanes.run("stream"))
    await redis.reading.wait()
    task.cancel()
    async with asyncio.timeout(5):
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_swallowed_cancellation_still_ends_a_lane() -> None:
    redis = Swallowing()
    redis.answer = [("stream", [("1-0", {}), ("2-0", {})])]
    handling, handled = asyncio.Event(), []

    async def handle(entry: str) -> None:
        handled.append(entry)
        handling.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    lanes = Lanes(
        SimpleNamespace(redis=redis), lambda place, _: (ConversationId("web:a"), place), handle, asyncio.Semaphore(1)
    )
    task = asyncio.create_task(lanes.run("stream"))
    await handling.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)
    assert handled == ["1-0"]
