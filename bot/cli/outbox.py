"""`frontdesk outbox …`: what waits to be delivered, and what could not be."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from rich.table import Table

from bot.cli import process
from bot.cli.installation import redis_url
from bot.cli.tables import print_table
from bot.conversation.ids import MessageId
from bot.conversation.messages import Outbound
from bot.conversation.outbox import Outbox
from bot.settings import Settings

Result = TypeVar("Result")


def show(settings: Settings, text: bool) -> None:
    """Print what lies in the outbox and the dead letters; what they say only if asked."""

    async def read(outbox: Outbox) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for waiting in await outbox.waiting():
            progress = waiting.progress
            rows.append(_row(waiting.entry.outbound, "waiting", progress.tries, progress.unknown, progress.error, text))
        for letter in await outbox.dead():
            rows.append(_row(letter.outbound, "dead", letter.tries, letter.repeated, letter.error, text))
        return rows

    rows = _with_outbox(settings, read)
    if not rows:
        print("nothing waits and nothing failed")
        return
    table = Table(*("message", "conversation", "state", "tries", "unanswered", "error"), box=None, pad_edge=False)
    if text:
        table.add_column("text")
    for row in rows:
        table.add_row(*row)
    print_table(table)


def _row(message: Outbound, state: str, tries: int, unanswered: int, error: str, text: bool) -> tuple[str, ...]:
    row = (message.message, message.conversation, state, str(tries), str(unanswered), error)
    return (*row, message.text) if text else row


def retry(settings: Settings, messages: Sequence[str]) -> None:
    """Put dead letters back into the outbox.

    Raises:
        NotFound: there is no such dead letter.
    """
    for message in _each(settings, messages, lambda outbox, message: outbox.retry(message)):
        print(f"{message} will be tried again")


def drop(settings: Settings, messages: Sequence[str]) -> None:
    """Give dead letters up.

    Raises:
        NotFound: there is no such dead letter.
    """
    for message in _each(settings, messages, lambda outbox, message: outbox.drop(message)):
        print(f"{message} is given up")


def _each(
    settings: Settings, messages: Sequence[str], act: Callable[[Outbox, MessageId], Awaitable[None]]
) -> list[MessageId]:
    async def work(outbox: Outbox) -> list[MessageId]:
        if list(messages) == ["all"]:
            chosen = [letter.outbound.message for letter in await outbox.dead()]
        else:
            chosen = [MessageId(message) for message in messages]
        for message in chosen:
            await act(outbox, message)
        return chosen

    return _with_outbox(settings, work)


def _with_outbox(settings: Settings, work: Callable[[Outbox], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with process.conversation_log(redis_url(settings), settings) as log:
            return await work(Outbox(log))

    return asyncio.run(run())
