"""What the processes of Frontdesk have in common: logs, a clean stop, and telling the supervisor how far they are."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from bot import logs
from bot.cli.installation import database_url, place_of
from bot.conversation.connect import connect, open_log
from bot.conversation.errors import ConfigError, Unavailable
from bot.conversation.log import Log
from bot.settings import Settings

if TYPE_CHECKING:
    from handoff.database import Database

logger = logging.getLogger(__name__)

REDIS_START_S = 30.0
"""How long a process waits for Redis at its start; a large append-only file takes a while to load."""


class Reporter:
    """Tells the supervisor, over a pipe, what this process does; without one, the log."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def status(self, text: str) -> None:
        """Say what is being done."""
        self._write(f"status {text}", text)

    def notice(self, text: str) -> None:
        """Say something that the operator must see, once."""
        if self._descriptor is None:
            print(text, flush=True)
        else:
            self._write(f"notice {text}", "")

    def ready(self) -> None:
        """Say that the process does its work."""
        self._write("ready", "ready")

    def _write(self, line: str, otherwise: str) -> None:
        if self._descriptor is None:
            logger.info("%s", otherwise)
            return
        with contextlib.suppress(OSError):
            os.write(self._descriptor, (" ".join(line.split()) + "\n").encode())


def run(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run the work of a process until SIGTERM or SIGINT."""
    asyncio.run(_run(work))


async def _run(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await work(stop)


def begin(settings: Settings, name: str) -> None:
    """Set up the logs of a process."""
    logs.configure(settings)
    logger.info("process_started name=%s pid=%d", name, os.getpid())


@asynccontextmanager
async def conversation_log(url: str, settings: Settings) -> AsyncIterator[Log]:
    """Open the conversation log, waiting for Redis to come up.

    Raises:
        ConfigError: Redis refuses the password, or holds data of other settings.
        Unavailable: it does not answer.
    """
    redis = connect(url, settings.redis.timeout_s)
    try:
        await _wait_for(redis, url)
        yield await open_log(redis, settings.redis.partitions)
    finally:
        await redis.aclose()


@asynccontextmanager
async def desk_database(settings: Settings) -> AsyncIterator["Database"]:
    """Open the PostgreSQL of a running installation.

    Raises:
        ConfigError: Frontdesk is not running.
    """
    from handoff.database import Database

    database = Database(database_url(settings), settings.database.timeout_s)
    try:
        yield database
    finally:
        await database.close()


async def _wait_for(redis: Redis, url: str) -> None:
    deadline = asyncio.get_running_loop().time() + REDIS_START_S
    while True:
        try:
            await redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            # redis-py 8 raises a wrong password as a lost connection that came of it.
            if isinstance(error, ResponseError) or isinstance(error.__context__, AuthenticationError):
                raise ConfigError(f"redis.url: Redis at {place_of(url)} refuses the user or the password") from error
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"Redis at {place_of(url)} does not answer") from error
            await asyncio.sleep(0.1)
        else:
            return
