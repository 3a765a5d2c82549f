"""The sender process: the conversation log and the channels that deliver, put together."""

import asyncio
import os
from contextlib import AsyncExitStack

from bot.channels.base import Channel
from bot.channels.telegram import Api, TelegramChannel
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
    # python-telegram-bot gives times as `timedelta` then, as its next version does anyway.
    os.environ.setdefault("PTB_TIMEDELTA", "1")
    process.begin(settings, "sender")
    reporter = process.Reporter(ready_fd)
    url = redis_url(settings)

    async def work(stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            log = await stack.enter_async_context(process.conversation_log(url, settings))
            channels: dict[str, Channel] = {}
            if token := settings.telegram.token:
                channel = TelegramChannel(await stack.enter_async_context(Api(token, settings.telegram)))
                channels[channel.name] = channel
            reporter.ready()
            await Sender(log, channels, settings).run(stop)

    process.run(work)
