"""Real sender processes that die at a named point."""

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing.process import BaseProcess

from bot.channels.telegram import TelegramChannel
from bot.cli import sender
from bot.conversation.outbox import Outbox
from bot.settings import Settings

DIED = 9


class Point(StrEnum):
    """Where it dies; `NEVER` lives until it is told to stop."""

    BEFORE_BEGIN = "before the attempt is recorded"
    BEFORE_CALL = "between the record of the attempt and the call"
    AFTER_CALL = "between the platform's answer and its record"
    AFTER_PART = "after the record of a part"
    AFTER_RECORD = "after the record of the delivery"
    NEVER = "never"


def die(owner: type, name: str, after: bool) -> None:
    """Let the process end as by SIGKILL, before or after a method's work."""
    real: Callable = getattr(owner, name)

    @functools.wraps(real)
    async def deadly(*arguments):
        if after:
            await real(*arguments)
        os._exit(DIED)

    setattr(owner, name, deadly)


def run(point: Point, settings: Settings) -> None:
    """Be a sender until death."""
    match point:
        case Point.BEFORE_BEGIN:
            die(Outbox, "begin", after=False)
        case Point.BEFORE_CALL:
            die(TelegramChannel, "send", after=False)
        case Point.AFTER_CALL:
            die(TelegramChannel, "send", after=True)
        case Point.AFTER_PART:
            die(Outbox, "note", after=True)
        case Point.AFTER_RECORD:
            die(Outbox, "delivered", after=True)
    sender.main(settings)


@contextmanager
def started(point: Point, settings: Settings) -> Iterator[BaseProcess]:
    """A sender process, which is gone in the end; forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=run, args=(point, settings), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()
