"""What tuning the encoder adds: `uv run python -m bench.finetune [--train A.csv] [--test B.csv …]`.

CSV files have the columns `text,label`: labels are complaint and not_complaint, or negative, neutral and positive, or
intents. With `--train` alone, a fifth is held back, as many times as there are splits; a file with the column `domain`
is measured twice, the second time trained and tested on the rows that are addressed to a company. Without `--train`,
the shipped sentences are trained on. Everything runs as it is served: exported to int8, heads fitted anew.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from bench.bars import Figure, finish, parser
from bench.labelled import EVEN, Row, Trained, as_examples, as_taught, kind_of, read
from bot.cli.fine_tuning import shown
from bot.cli.process import Reporter
from bot.learning import finetune
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.encoder import Encoder, prepare_encoder
from bot.nlu.heads import COMPLAINT_THRESHOLD
from bot.nlu.intents import Taught
from bot.nlu.triage_data import Example, read_examples

SENTENCES = Path("nlu_data/triage")
BARS = {"macro_f1": (0.88, 0.83), "auc": (0.955, 0.92)}
"""For complaints, trained in-domain: over all rows, and over those addressed to a company."""
MOST_MINUTES = 15.0
"""For 3,000 sentences on 2 cores."""
HELD_BACK = 0.2
ADDRESSED = "addressed"


@dataclass(frozen=True)
class Run:
    """The same heads over several encoders, the tuned one last; `minutes` is what tuning took."""

    trained: dict[str, Trained]
    minutes: float
    sentences: int

    def measure(self, rows: Sequence[Row], what: str) -> "Measured":
        """Return the figures of each encoder for rows, and tell them: a bench takes long."""
        found = {name: each.measure(rows) for name, each in self.trained.items()}
        for name, figures in found.items():
            told = ", ".join(f"{figure} {value:.{_digits(figure)}f}" for figure, value in figures.items())
            print(f"{what}, {name}: {told}", file=sys.stderr, flush=True)
        return found


Measured = dict[str, dict[str, float]]
"""Figures by encoder and name."""


@dataclass(frozen=True)
class Bench:
    """Where tuning starts, the encoders that it is compared with, and a folder for what is made."""

    checkpoint: Checkpoint
    untuned: dict[str, Encoder]
    folder: Path

    @classmethod
    def of(cls, encoder: str | None, folder: Path) -> "Bench":
        """Start from an encoder, the packaged one if none is named."""
        checkpoints = {"packaged": find_checkpoint()}
        if encoder:
            checkpoints["as it starts"] = find_checkpoint(encoder)
        untuned = {
            name: Encoder(prepare_encoder(checkpoint, folder / "cache"), remember=20_000)
            for name, checkpoint in checkpoints.items()
        }
        return cls(list(checkpoints.values())[-1], untuned, folder)


def train(examples: Sequence[Example], intents: Taught, bench: Bench, complaint_from: float) -> Run:
    """Tune, and train heads over each encoder."""
    from bot.learning.finetune.lessons import intent_lesson, triage_lesson
    from bot.learning.finetune.training import Recipe
    from bot.learning.finetune.tuning import tune_encoder

    lessons = triage_lesson(examples), intent_lesson(intents.examples)
    began = time.perf_counter()
    with shown(Reporter(None)) as progress:
        tuned = tune_encoder(bench.checkpoint, *lessons, bench.folder, Recipe(), progress)
    minutes = (time.perf_counter() - began) / 60
    encoders = {**bench.untuned, "tuned": Encoder(prepare_encoder(find_checkpoint(str(tuned)), bench.folder / "cache"))}
    trained = {name: Trained(encoder, examples, intents, complaint_from) for name, encoder in encoders.items()}
    return Run(trained, minutes, sum(len(lesson.texts) for lesson in lessons))


def splits(rows: Sequence[Row], count: int) -> Iterator[tuple[list[Row], list[Row]]]:
    """Give the parts to train and to test on, labels spread over both alike."""
    made = StratifiedShuffleSplit(count, test_size=HELD_BACK, random_state=0)
    for training, test in made.split(np.zeros(len(rows)), [row.label for row in rows]):
        yield [rows[place] for place in training], [rows[place] for place in test]


def train_on(rows: Sequence[Row], bench: Bench) -> Run:
    """Train on the rows of a file."""
    kind = kind_of(rows)
    if kind == "intent":
        return train([], as_taught(rows), bench, EVEN)
    return train(as_examples(rows, kind), Taught([]), bench, EVEN)


def shipped(bench: Bench) -> Run:
    """Train on the shipped sentences, of all heads."""
    from bot.rasa_runtime import taught_intents

    taught = taught_intents(Path("domain.yml"), Path("nlu_data"))
    return train(read_examples(SENTENCES), taught, bench, COMPLAINT_THRESHOLD)


def compare(found: Sequence[Measured], what: str, addressed: bool | None = None) -> list[Figure]:
    """Return the figures of each encoder, the mean over all splits; `addressed` chooses the bar, None none."""
    figures = []
    for name in ("accuracy", "macro_f1", "macro_recall", "auc", "ece"):
        for encoder, measured in found[0].items():
            if name in measured:
                bar = BARS[name][addressed] if encoder == "tuned" and name in BARS and addressed is not None else None
                value = mean(each[encoder][name] for each in found)
                figures.append(Figure(f"{what}: {name}, {encoder}", value, "", bar, True, _digits(name)))
    return figures


def measure(arguments: argparse.Namespace, bench: Bench) -> tuple[list[Figure], list[Run]]:
    """Train and measure what the command line asks for."""
    figures, runs = [], []
    if arguments.test:
        runs = [train_on(read(arguments.train), bench) if arguments.train else shipped(bench)]
        for file in arguments.test:
            for what, part in parts_of(read(file)):
                figures += compare([runs[0].measure(part, f"{file.stem}, {what}")], f"{file.stem}, {what}")
        return figures, runs
    for what, part in parts_of(read(arguments.train)):
        found = []
        for training, test in splits(part, arguments.splits):
            runs.append(train_on(training, bench))
            found.append(runs[-1].measure(test, what))
        figures += compare(found, what, what == ADDRESSED if kind_of(part) == "complaint" else None)
    return figures, runs


def parts_of(rows: Sequence[Row]) -> list[tuple[str, Sequence[Row]]]:
    """Return all rows and, if those are fewer, the ones that are addressed to a company."""
    addressed = [row for row in rows if row.addressed]
    return [("all rows", rows)] + ([(ADDRESSED, addressed)] if len(addressed) < len(rows) else [])


def _digits(name: str) -> int:
    return 0 if name == "n" else 3


def main() -> None:
    """Measure and compare."""
    arguments = parser("What tuning the encoder adds to the heads.")
    arguments.add_argument("--train", type=Path, metavar="CSV", help="train on it; without, on the shipped sentences")
    arguments.add_argument("--test", type=Path, nargs="+", default=[], metavar="CSV", help="test on these")
    arguments.add_argument("--encoder", help="start from this folder, or name on the hub, not from the packaged one")
    arguments.add_argument("--splits", type=int, default=3, help="without --test: times that a fifth is held back")
    chosen = arguments.parse_args()
    if not chosen.train and not chosen.test:
        arguments.error("say what to train on, or what to test on")
    if lacking := finetune.lacking():
        sys.exit(f"bench.finetune: {lacking}")
    with tempfile.TemporaryDirectory() as folder:
        figures, runs = measure(chosen, Bench.of(chosen.encoder, Path(folder)))
    for_3000 = mean(run.minutes / run.sentences for run in runs) * 3000
    figures.append(Figure("tuning with 3,000 such sentences", for_3000, "min", MOST_MINUTES))
    load = os.getloadavg()[0]
    finish(f"Tuned encoder (load of the machine {load:.1f} on {os.cpu_count()} cores)", figures, chosen.json)


if __name__ == "__main__":
    main()
