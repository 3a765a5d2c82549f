"""Where the assistant's files are, and which trained model is live; imports nothing of Rasa until a model is loaded."""

import tarfile
import zlib
from pathlib import Path

from bot.conversation.errors import ConfigError
from bot.learning.registry import Registry
from bot.settings import Settings


def check_files(settings: Settings) -> None:
    """Make sure that the assistant's files are there.

    Raises:
        ConfigError: one is not.
    """
    assistant = settings.assistant
    for name, path in (("config", assistant.config), ("domain", assistant.domain), ("data", assistant.data)):
        if not path.exists():
            raise ConfigError(
                f"assistant.{name}: there is no {path} in {Path.cwd()}; run this in the project's folder, or set it"
            )


def check_model(model: Path) -> None:
    """Make sure that a file is a model at all; what it holds is checked by the worker that loads it.

    Raises:
        ConfigError: it is none.
    """
    try:
        with tarfile.open(model) as archive:
            archive.getmember("metadata.json")
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError):
        raise ConfigError(f"{model} is not a model, or is damaged; remove it and make one: frontdesk train") from None


def live_model(settings: Settings) -> Path:
    """Return the file of the model that answers customers.

    Raises:
        ConfigError: there is none.
    """
    return Registry(settings.assistant.models).require_live()


def try_to_load(settings: Settings, model: Path) -> None:
    """Load a model as a worker does, so that no worker has to refuse it.

    Raises:
        ConfigError: it can't be loaded.
    """
    from bot.rasa_runtime import load_processor
    from bot.tracker_store import LogTrackerStore

    load_processor(model, LogTrackerStore(), settings.assistant.endpoints)
