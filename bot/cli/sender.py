"""The sender process: the conversation log and the channels that deliver, put together."""

import asyncio

from bot.cli import process
from bot.cli.installation import redis_url
from bot.sender import Sender
from bot.settings import Settings


def main(settings: Settings, ready_fd: int | None = None) -> None:
    """Run a sender until it is told to stop.

    Raises:
        ConfigError: a channel's settings are wrong.
        Unavailable: Redis does not answer.
    """
    process.begin(settings, "sender")
    reporter = process.Reporter(ready_fd)
    url = redis_url(settings)

    async def work(stop: asyncio.Event) -> None:
        async with process.conversation_log(url, settings) as log:
            reporter.ready()
            await Sender(log, {}, settings).run(stop)

    process.run(work)
