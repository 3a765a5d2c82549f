"""Tune a checkpoint and keep the result as a checkpoint of its own, in the format of transformers."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.learning.finetune.bert import Bert
from bot.learning.finetune.lessons import Lesson
from bot.learning.finetune.training import Progress, Recipe, tune
from bot.nlu.checkpoint import Checkpoint
from bot.nlu.encoder import load_tokenizer, write_tokenizer
from bot.nlu.export import read_weights

FORMAT = 1
"""Goes up when the same sentences would give other weights."""

_KEPT = ("*.json", "*.txt", "*.model", "1_Pooling/config.json")
_ABOUT = "tuned.json"


def tune_encoder(checkpoint: Checkpoint, lesson: Lesson, out: Path, recipe: Recipe, progress: Progress) -> Path:
    """Return the folder under `out` with the tuned checkpoint; one that was tuned of the same is not tuned again.

    Raises:
        ConfigError: the checkpoint can't be tuned, there is nothing to learn, or `out` can't be written.
    """
    bert = Bert(checkpoint)
    if not lesson.tasks:
        raise ConfigError("fine-tuning: the sentences have no labels to tell apart")
    name = _digest(checkpoint, lesson, recipe)
    folder = out / name
    if folder.is_dir():
        return folder
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tuning-", dir=out) as scratch:
            new = Path(scratch) / name
            new.mkdir()
            _copy(checkpoint, new)
            write_tokenizer(checkpoint, new / "tokenizer.json")
            tokenize = load_tokenizer(new / "tokenizer.json", checkpoint.max_tokens)
            weights = read_weights(checkpoint, bert.layout)
            tuned = tune(bert, weights, [tokenize(text) for text in lesson.texts], lesson.tasks, recipe, progress)
            _write(new, tuned, checkpoint, lesson, recipe)
            new.rename(folder)
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


def _write(
    folder: Path, weights: Mapping[str, NDArray[Any]], checkpoint: Checkpoint, lesson: Lesson, recipe: Recipe
) -> None:
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, folder / "model.safetensors")
    about = {
        "format": FORMAT,
        "of": checkpoint.digest,
        "sentences": len(lesson.texts),
        "heads": {name: list(task.labels) for name, task in lesson.tasks.items()},
        "recipe": recipe.describe(),
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")


def _digest(checkpoint: Checkpoint, lesson: Lesson, recipe: Recipe) -> str:
    total = hashlib.sha256(f"{FORMAT} {checkpoint.digest}".encode())
    total.update(json.dumps([recipe.describe(), lesson.texts], sort_keys=True).encode())
    for name, task in lesson.tasks.items():
        known = b"" if task.known is None else task.known.tobytes()
        total.update(json.dumps([name, task.labels, task.exclusive]).encode() + task.targets.tobytes() + known)
    return total.hexdigest()[:16]
