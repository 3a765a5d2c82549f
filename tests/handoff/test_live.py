"""Announcements reach every listener, also after Redis was away."""

import asyncio
import contextlib
from pathlib import Path

from bot.conversation.connect import connect
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log
from bot.embedded.redis import RedisServer
from bot.embedded.server import socket_folder
from handoff.live import Change, Changes, Live, What
from handoff.projector import Projector
from tests.handoff.scenes import customer_says

KIM = ConversationId("web:kim")
LEE = ConversationId("web:lee")


@contextlib.asynccontextmanager
async def task_of(work):
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(changes: Changes, wanted: Change) -> None:
    async with asyncio.timeout(10):
        async for change in changes:
            if change == wanted:
                return


async def test_a_page_hears_of_its_conversation_when_it_happens_and_when_it_is_projected(log, database, desk) -> None:
    async with (
        task_of(desk.run()),
        task_of(Projector(log, database).run()),
        desk.live(KIM) as kim,
        desk.live() as everything,
    ):
        await until(kim, Change(What.RELOAD))
        await until(everything, Change(What.RELOAD))
        await customer_says(log, LEE, "hello")
        await until(everything, Change(What.PROJECTED, LEE))
        await customer_says(log, KIM, "hello")
        await until(kim, Change(What.HAPPENED, KIM))
        await until(kim, Change(What.PROJECTED, KIM))
        await desk.typing(KIM)
        await until(kim, Change(What.TYPING, KIM))


async def test_a_change_is_told_once_to_a_slow_listener() -> None:
    changes = Changes(None)
    for _ in range(1000):
        changes.tell(Change(What.HAPPENED, KIM))
    changes.tell(Change(What.PROJECTED, KIM))
    assert await changes.next(0.1) == Change(What.HAPPENED, KIM)
    assert await changes.next(0.1) == Change(What.PROJECTED, KIM)
    assert await changes.next(0.01) is None


async def test_listeners_and_the_projector_come_back_after_redis_was_away(tmp_path: Path, database) -> None:
    folder = tmp_path / "redis"
    sockets = socket_folder(tmp_path)
    server = RedisServer(folder, sockets, tmp_path / "redis.log")
    with server:
        redis = connect(server.url, 1.0)
        log = Log(redis, 4)
        live, projector = Live(redis), Projector(log, database)
        async with task_of(live.run()), task_of(projector.run()), live.listen() as changes:
            await until(changes, Change(What.RELOAD))
            await customer_says(log, KIM, "hello")
            await until(changes, Change(What.PROJECTED, KIM))
            server.stop()
            server.start()
            await until(changes, Change(What.RELOAD))
            await customer_says(log, KIM, "still there?")
            await until(changes, Change(What.PROJECTED, KIM))
        await redis.aclose()
