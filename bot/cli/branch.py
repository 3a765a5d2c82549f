"""Make the branch that is shipped: `uv run python -m bot.cli.branch TEACHER`, after many sentences have changed.

TEACHER is the folder of all-mpnet-base-v2; docs/fine-tuning.md tells where it is had. Its upper layers are tuned with
the shipped sentences, then the upper layers of the packaged encoder learn to give what it gives. It takes half an hour.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.cli.fine_tuning import shown
from bot.cli.process import Reporter
from bot.learning.finetune.bert import Bert
from bot.learning.finetune.distillation import Distillation, distil
from bot.learning.finetune.lessons import Lesson, triage_lesson
from bot.learning.finetune.teacher import read_by, wanted
from bot.learning.finetune.training import Recipe
from bot.learning.finetune.tuning import tune_encoder
from bot.learning.finetune.variations import varied
from bot.nlu.branch import SHIPPED, numbers_of, write_branch
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.encoder import Encoder, load_tokenizer, prepare_encoder
from bot.nlu.families import read_weights
from bot.nlu.linear import Floats
from bot.nlu.text import prepare
from bot.nlu.triage_data import Example, read_examples
from bot.rasa_runtime import taught_intents

TEXTS = 45_000
"""What the teacher is asked about; 13,000 of them are ours, the others parts of these."""
OF_TEACHER = Recipe(epochs=1, rate=8e-5, first=6)


def main() -> None:
    """Tune the teacher, let the packaged encoder learn from it, and write the branch where it is looked for."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    arguments.add_argument("teacher", type=Path, help="folder of all-mpnet-base-v2, or of another such encoder")
    teacher = find_checkpoint(str(arguments.parse_args().teacher))
    pupil = replace(find_checkpoint(), branch=None)
    sentences = read_examples(Path("nlu_data/triage"))
    asked = taught_intents(Path("domain.yml"), Path("nlu_data")).examples
    lesson, recipe = triage_lesson(sentences), Distillation()
    ours = [prepare(text) for text in (*(one.text for one in sentences), *(text for text, _ in asked))]
    texts = varied(ours, TEXTS, np.random.default_rng(recipe.seed))
    bert = Bert(pupil)
    weights = read_weights(pupil, bert.layout)
    tokenize = load_tokenizer(pupil.folder / "tokenizer.json", pupil.max_tokens)
    said = _asked(teacher, lesson, texts, sentences)
    with shown(Reporter(None)) as progress:
        found = distil(bert, weights, [tokenize(text) for text in texts], said, recipe, progress)
    write_branch(SHIPPED, bert.only_layers(found), weights, numbers_of(lesson.texts), recipe.rank)
    print(f"{SHIPPED}, {SHIPPED.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


def _asked(teacher: Checkpoint, lesson: Lesson, texts: list[str], sentences: list[Example]) -> Floats:
    """Return what the tuned teacher says of texts."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder, shown(Reporter(None)) as progress:
        tuned = tune_encoder(teacher, Lesson((), {}), lesson, Path(folder), OF_TEACHER, progress)
        encoder = Encoder(prepare_encoder(find_checkpoint(str(tuned)), Path(folder)), remember=0)
        return wanted(read_by(encoder, texts), sentences)


if __name__ == "__main__":
    main()
