"""Make the branch that is shipped: `uv run python -m bot.cli.branch`, after many sentences have changed.

It starts from the packaged encoder as it comes, so that the same sentences give the same branch. First all layers are
tuned, then the upper ones learn to do without the lower ones' tuning.
"""

import sys
from dataclasses import replace
from pathlib import Path

from bot.cli.fine_tuning import shown
from bot.cli.process import Reporter
from bot.learning.finetune.bert import Bert
from bot.learning.finetune.distillation import Distillation, distil
from bot.learning.finetune.lessons import triage_lesson
from bot.learning.finetune.training import Recipe, tune
from bot.nlu.branch import SHIPPED, numbers_of, write_branch
from bot.nlu.checkpoint import find_checkpoint
from bot.nlu.encoder import load_tokenizer
from bot.nlu.families import read_weights
from bot.nlu.text import prepare
from bot.nlu.triage_data import read_examples
from bot.rasa_runtime import taught_intents


def main() -> None:
    """Tune with the shipped sentences, and write the branch where it is looked for."""
    checkpoint = replace(find_checkpoint(), branch=None)
    bert = Bert(checkpoint)
    weights = read_weights(checkpoint, bert.layout)
    sentences = read_examples(Path("nlu_data/triage"))
    lesson = triage_lesson(sentences)
    tokenize = load_tokenizer(checkpoint.folder / "tokenizer.json", checkpoint.max_tokens)
    tokens = [tokenize(text) for text in lesson.texts]
    with shown(Reporter(None)) as progress:
        tuned = tune(bert, weights, tokens, lesson.tasks, Recipe(), progress)
    asked = taught_intents(Path("domain.yml"), Path("nlu_data")).examples
    texts = list(dict.fromkeys(prepare(text) for text in (*(one.text for one in sentences), *(t for t, _ in asked))))
    recipe = Distillation()
    with shown(Reporter(None)) as progress:
        tuned = distil(bert, weights, tuned, texts, tokenize, recipe, progress)
    write_branch(SHIPPED, bert.only_layers(tuned), weights, numbers_of(lesson.texts), recipe.rank)
    print(f"{SHIPPED}, {SHIPPED.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
