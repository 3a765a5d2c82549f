"""`frontdesk train`: a model that answers at once, or a candidate that has to prove itself first."""

import shutil
import time
from contextlib import nullcontext
from pathlib import Path

from bot import logs
from bot.cli.fine_tuning import ENCODERS, tuned_config
from bot.cli.models import check_files
from bot.cli.process import Reporter
from bot.conversation.errors import BadInput
from bot.conversation.events import utc_now
from bot.learning.registry import How, Registry
from bot.settings import Settings

LEFTOVER_S = 24 * 3600


def main(settings: Settings, ready_fd: int | None = None, candidate: bool = False, fine_tune: bool = False) -> None:
    """Train the assistant and print the model's file; make it live, or only the candidate.

    With `fine_tune`, the encoder is tuned first.

    Raises:
        ConfigError: a file is wrong; the text is what Rasa said of it.
    """
    check_files(settings)
    logs.configure(settings)
    _remove_leftovers(settings.assistant.models)
    reporter = Reporter(ready_fd)
    assistant = settings.assistant
    with tuned_config(assistant, reporter) if fine_tune else nullcontext(assistant.config) as config:
        reporter.status("training a candidate" if candidate else "training the assistant, once")
        from bot.rasa_runtime import train

        model = train(assistant.models, config, assistant.domain, assistant.data)
    registry = Registry(assistant.models)
    if not candidate:
        registry.make_live(model, How.TRAINED, utc_now())
    elif registry.live() == model:
        raise BadInput(f"nothing to learn: what {model.name} was trained of has not changed, and it is live")
    else:
        registry.nominate(model)
    print(model)


def _remove_leftovers(models: Path) -> None:
    # A training that was stopped leaves its folder behind.
    for folder in (*models.glob(".training-*"), *models.glob(f"{ENCODERS}/.tuning-*")):
        if time.time() - folder.stat().st_mtime > LEFTOVER_S:
            shutil.rmtree(folder, ignore_errors=True)
