"""Tune a checkpoint and keep the result as a checkpoint of its own, in the format of transformers."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.learning.finetune.bert import Bert
from bot.learning.finetune.lessons import Lesson
from bot.learning.finetune.training import Progress, Recipe, tune
from bot.nlu.branch import NAME as BRANCH
from bot.nlu.branch import numbers_of, read_branch, read_tuned_with, write_branch
from bot.nlu.checkpoint import Checkpoint
from bot.nlu.encoder import load_tokenizer, write_tokenizer
from bot.nlu.families import read_weights
from bot.whole_files import new_folder

FORMAT = 2
"""Goes up when the same sentences would give other weights."""

_KEPT = ("*.json", "*.txt", "*.model", "1_Pooling/config.json")
_ABOUT = "tuned.json"


def tune_encoder(
    checkpoint: Checkpoint, triage: Lesson, intents: Lesson, out: Path, recipe: Recipe, progress: Progress
) -> Path:
    """Return the folder under `out` with the tuned checkpoint; one that was tuned of the same is not tuned again.

    Intents tune the encoder's own layers, the triage its branch, or a new one: what helps one would harm the other.

    Raises:
        ConfigError: the checkpoint can't be tuned, there is nothing to learn, or `out` can't be written.
    """
    bert = Bert(checkpoint)
    if not triage.tasks and not intents.tasks:
        raise ConfigError("fine-tuning: the sentences have no labels to tell apart")
    folder = out / _digest(checkpoint, (triage, intents), recipe)
    if folder.is_dir():
        return folder
    try:
        with new_folder(folder) as new:
            _copy(checkpoint, new)
            write_tokenizer(checkpoint, new / "tokenizer.json")
            _tune(bert, checkpoint, triage, intents, new, recipe, progress)
            _describe(new, checkpoint, (triage, intents), recipe)
    except OSError as error:
        raise ConfigError(f"fine-tuning: {out} can't be written: {error.strerror}") from error
    return folder


def _copy(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy what makes a checkpoint beside its weights."""
    for pattern in _KEPT:
        for file in sorted(checkpoint.folder.glob(pattern)):
            if file.name in (_ABOUT, "model.safetensors.index.json"):
                continue
            target = folder / file.relative_to(checkpoint.folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)


def _tune(
    bert: Bert,
    checkpoint: Checkpoint,
    triage: Lesson,
    intents: Lesson,
    folder: Path,
    recipe: Recipe,
    progress: Progress,
) -> None:
    """Tune both sets of layers, and write them into a folder, where the tokenizer is."""
    from safetensors.numpy import save_file

    tokenize = load_tokenizer(folder / "tokenizer.json", checkpoint.max_tokens)
    own = read_weights(checkpoint, bert.layout)
    branch = {**own, **(read_branch(checkpoint.branch, own) if checkpoint.branch else {})}
    first, second = (recipe.steps(len(each.texts)) if each.tasks else 0 for each in (intents, triage))

    def tuned(weights: Mapping[str, NDArray[Any]], lesson: Lesson, before: int) -> dict[str, NDArray[Any]]:
        def told(done: int, _: int, loss: float) -> None:
            progress(before + done, first + second, loss)

        return tune(bert, weights, [tokenize(text) for text in lesson.texts], lesson.tasks, recipe, told)

    if intents.tasks:
        own = tuned(own, intents, 0)
    if triage.tasks:
        branch = tuned(branch, triage, first)
    save_file({name: np.ascontiguousarray(value) for name, value in own.items()}, folder / "model.safetensors")
    if triage.tasks or checkpoint.branch:
        before = read_tuned_with(checkpoint.branch) if checkpoint.branch else numbers_of(())
        tuned_with = np.union1d(before, numbers_of(triage.texts if triage.tasks else ()))
        write_branch(folder / BRANCH, bert.only_layers(branch), own, tuned_with)


def _describe(folder: Path, checkpoint: Checkpoint, lessons: Sequence[Lesson], recipe: Recipe) -> None:
    about = {
        "format": FORMAT,
        "of": checkpoint.digest,
        "sentences": sum(len(lesson.texts) for lesson in lessons),
        "heads": {name: list(task.labels) for lesson in lessons for name, task in lesson.tasks.items()},
        "recipe": recipe.describe(),
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")


def _digest(checkpoint: Checkpoint, lessons: Sequence[Lesson], recipe: Recipe) -> str:
    total = hashlib.sha256(f"{FORMAT} {checkpoint.digest}".encode())
    total.update(json.dumps([recipe.describe(), *(lesson.texts for lesson in lessons)], sort_keys=True).encode())
    for name, task in (item for lesson in lessons for item in lesson.tasks.items()):
        known = b"" if task.known is None else task.known.tobytes()
        total.update(json.dumps([name, task.labels, task.exclusive]).encode() + task.targets.tobytes() + known)
    return total.hexdigest()[:16]
