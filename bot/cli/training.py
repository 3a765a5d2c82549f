"""`frontdesk train`."""

import shutil
import time
from pathlib import Path

from bot import logs
from bot.cli.models import check_files
from bot.cli.process import Reporter
from bot.settings import Settings

LEFTOVER_S = 24 * 3600


def main(settings: Settings, ready_fd: int | None = None) -> None:
    """Train the assistant and print the model's file.

    Raises:
        ConfigError: a file is wrong; the text is what Rasa said of it.
    """
    check_files(settings)
    logs.configure(settings)
    _remove_leftovers(settings.assistant.models)
    reporter = Reporter(ready_fd)
    reporter.status("training the assistant, once")
    from bot.rasa_runtime import train

    assistant = settings.assistant
    model = train(assistant.models, assistant.config, assistant.domain, assistant.data)
    model.touch()  # the newest model is served, and this is the one that was asked for
    print(model)


def _remove_leftovers(models: Path) -> None:
    # A training that was stopped leaves its folder behind.
    for folder in models.glob(".training-*"):
        if time.time() - folder.stat().st_mtime > LEFTOVER_S:
            shutil.rmtree(folder, ignore_errors=True)
