"""A web process with nothing but the desk, for the tests: `python -m tests.console.serve REDIS_URL DATABASE_URL`.

It writes its port to stdout as soon as it listens, and ends when stdin is closed.
"""

import asyncio
import contextlib
import sys

import uvicorn
from fastapi import FastAPI

from bot.conversation.connect import connect
from bot.conversation.errors import Unavailable
from bot.conversation.explanation import Explanation, Part
from bot.conversation.log import Log
from bot.settings import DeskSettings, Settings
from handoff.auth import Auth
from handoff.console import mount
from handoff.database import Database
from handoff.desk import Desk
from handoff.figures import Figures
from handoff.projector import Projector

PARTITIONS = 4
LOCK_AFTER = 3


def settings() -> Settings:
    """Return the settings of the tests' desk: an account is locked sooner."""
    return Settings(desk=DeskSettings(lock_after=LOCK_AFTER))


async def explain(text: str) -> Explanation:
    """Say that the last word carried everything; nothing of a text that says so."""
    if "unexplained" in text:
        raise Unavailable("there is no trained assistant")
    start = text.rfind(" ") + 1
    before = [Part(start=0, end=start - 1, complaint=-0.5, sentiment=0.2)] if start else []
    return Explanation(parts=(*before, Part(start=start, end=len(text), complaint=2.0, sentiment=-1.0)))


async def main(redis_url: str, database_url: str) -> None:
    """Serve until stdin is closed."""
    database = Database(database_url)
    log = Log(connect(redis_url, 5.0), PARTITIONS)
    desk = Desk(log, database, settings())
    figures = Figures(database, settings().hours, settings().conversation.idle_s)
    app = FastAPI()
    mount(app, desk, Auth(database, settings().desk), figures, settings(), explain=explain, spoken=["en"])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, ws="wsproto", log_level="warning"))
    works = [asyncio.create_task(work) for work in (desk.run(), Projector(log, database).run(), server.serve())]
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await works.pop()
    for work in works:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    await log.redis.aclose()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
