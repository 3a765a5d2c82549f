"""`frontdesk train --fine-tune`: tune the encoder, then train with it."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import yaml
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from bot.cli.process import Reporter
from bot.cli.rasa_config import read_components
from bot.learning import finetune
from bot.settings import AssistantSettings

ENCODERS = "encoders"
"""Folder of tuned encoders, within that of the models."""

_DOING = "tuning the encoder"
_TOLD_EVERY_S = 20.0

Progress = Callable[[int, int, float], None]


@contextmanager
def tuned_config(assistant: AssistantSettings, reporter: Reporter) -> Iterator[Path]:
    """Give a configuration with a tuned encoder; without the extra the assistant's own, and say how to get it.

    Raises:
        ConfigError: a file is wrong, or the encoder is of a kind that can't be tuned.
    """
    lacking = finetune.lacking()
    if lacking:
        print(f"the encoder is not tuned: {lacking}", file=sys.stderr, flush=True)
        yield assistant.config
        return
    config, components = read_components(assistant.config)
    encoder = _tune(assistant, components, reporter)
    print(f"the tuned encoder is in {encoder}", file=sys.stderr, flush=True)
    for component in components.values():
        component["encoder"] = str(encoder)
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
        file = Path(folder) / assistant.config.name
        file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        yield file


@contextmanager
def shown(reporter: Reporter, out: TextIO | None = None) -> Iterator[Progress]:
    """Give what shows the progress of a tuning: a bar on a terminal, a line now and then elsewhere."""
    console = Console(file=out or sys.stderr, highlight=False)
    if not console.is_terminal:
        yield _Lines(reporter)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(_DOING)

        def progress(done: int, steps: int, loss: float) -> None:
            bars.update(task, completed=done, total=steps, description=f"{_DOING}, loss {loss:.2f}")

        yield progress


class _Lines:
    """Tells the progress in lines."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._began = self._told = time.monotonic()

    def __call__(self, done: int, steps: int, loss: float) -> None:
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_S and done < steps:
            return
        self._told = now
        left_s = (now - self._began) / done * (steps - done)
        self._reporter.status(f"{_DOING}: {100 * done // steps} %, {left_s / 60:.0f} min left, loss {loss:.2f}")


def _tune(assistant: AssistantSettings, components: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> Path:
    from bot.learning.finetune.lessons import intent_lesson, triage_lesson
    from bot.learning.finetune.training import Recipe
    from bot.learning.finetune.tuning import tune_encoder
    from bot.nlu.checkpoint import find_checkpoint
    from bot.nlu.triage_data import read_examples
    from bot.rasa_runtime import taught_intents

    sentences = Path(components["TriageClassifier"].get("sentences") or assistant.data / "triage")
    triage = triage_lesson(read_examples(sentences))
    intents = intent_lesson(taught_intents(assistant.domain, assistant.data).examples)
    checkpoint = find_checkpoint(components["IntentClassifier"].get("encoder"))
    with shown(reporter) as progress:
        return tune_encoder(checkpoint, triage, intents, assistant.models / ENCODERS, Recipe(), progress)
