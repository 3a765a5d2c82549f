"""The worker process: the conversation log and a trained assistant, put together."""

import asyncio
from pathlib import Path

from bot.cli import process
from bot.cli.installation import redis_url
from bot.learning.registry import Registry
from bot.live_assistant import LiveAssistant
from bot.nlu.encoder import Encoder
from bot.settings import Settings
from bot.turns import Assists


def main(settings: Settings, ready_fd: int | None = None) -> None:
    """Run a worker until it is told to stop.

    Raises:
        ConfigError: there is no model, or it can't be used.
        Unavailable: Redis does not answer.
    """
    process.begin(settings, "worker")
    reporter = process.Reporter(ready_fd)
    url = redis_url(settings)
    Encoder.both_at_once = settings.worker.leaves_a_core
    reporter.status("loading the assistant")

    def load(model: Path) -> Assists:
        return _load(model, settings.assistant.endpoints)

    assistant = LiveAssistant(Registry(settings.assistant.models), load, reporter.notice)

    from bot.worker import Worker

    async def work(stop: asyncio.Event) -> None:
        async with process.conversation_log(url, settings) as log:
            worker = Worker(log, assistant, settings)
            watching = asyncio.create_task(assistant.watch(stop), name="watch-models")
            reporter.ready()
            try:
                await worker.run(stop)
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    process.run(work)


def _load(model: Path, endpoints: Path) -> Assists:
    from bot.assistant import Assistant
    from bot.rasa_runtime import load_processor
    from bot.tracker_store import LogTrackerStore

    return Assistant(load_processor(model, LogTrackerStore(), endpoints), model.name.removesuffix(".tar.gz"))
