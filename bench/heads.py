"""What the benches of the heads have in common: what is trained on, what is tested on, and the bars."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from sklearn.model_selection import StratifiedKFold

from bench.bars import parser
from bench.labelled import Row, Trained, as_examples, as_taught, kind_of, read
from bot.nlu.encoder import Encoder, shared_encoder
from bot.nlu.intents import Taught

Said = TypeVar("Said")

REMEMBERED = 50_000
"""Results of the encoder, two for a text, of up to 12 kB."""

TEST_SPLITS = ("test", "val", "oos_test", "oos_val")
"""Values of a column `split` that mean rows to test on."""


def command_line(description: str) -> argparse.Namespace:
    """Return what the command line of a bench of heads says."""
    arguments = parser(description)
    arguments.add_argument(
        "--train", type=Path, metavar="CSV", help="train on it; without, the shipped heads are tested"
    )
    arguments.add_argument(
        "--test", type=Path, metavar="CSV", help="test on it; the same file if it has a column split"
    )
    arguments.add_argument("--folds", type=int, help="instead of --test: train and test on so many parts of --train")
    chosen = arguments.parse_args()
    if bool(chosen.test) == bool(chosen.folds):
        arguments.error("say what to test on: --test CSV, or --train CSV --folds 10")
    if chosen.folds and not chosen.train:
        arguments.error("--folds goes with --train: the shipped heads are trained on other sentences")
    if chosen.folds and chosen.folds < 2:
        arguments.error("--folds takes a number from 2 on")
    return chosen


def trained_on(rows: Sequence[Row]) -> Trained:
    """Train the heads that the labels of rows are for."""
    kind = kind_of(rows)
    encoder = _remembering()
    if kind == "intent":
        return Trained(encoder, [], as_taught(rows))
    return Trained(encoder, as_examples(rows, kind), Taught([]))


@cache
def _remembering() -> Encoder:
    """Return the packaged encoder such that each text of all parts is read once."""
    return Encoder(shared_encoder().folder, remember=REMEMBERED)


def judged(
    chosen: argparse.Namespace, ask: Callable[[Trained, Sequence[Row]], list[Said]], shipped: Callable[[], Trained]
) -> tuple[list[Row], list[Said]]:
    """Return the rows that were tested on, and what the heads say of each."""
    if not chosen.folds:
        training, test = _parts(chosen)
        heads = trained_on(training) if training else shipped()
        return test, ask(heads, test)
    rows = read(chosen.train)
    return rows, cross_judged(rows, chosen.folds, ask)


def cross_judged(rows: Sequence[Row], folds: int, ask: Callable[[Trained, Sequence[Row]], list[Said]]) -> list[Said]:
    """Return what heads say of each row that were trained on the other parts."""
    said: dict[int, Said] = {}
    for training, test in _folds(rows, folds):
        heads = trained_on([rows[place] for place in training])
        said.update(zip(test, ask(heads, [rows[place] for place in test]), strict=True))
    return [said[place] for place in range(len(rows))]


def bars_of(file: Path | None, bars: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Return the bars for a file, by the beginning of its name; none if there is no file."""
    return next((found for start, found in bars.items() if file and file.name.startswith(start)), {})


def _parts(chosen: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    test = read(chosen.test)
    if not chosen.train:
        return [], test
    if chosen.train.resolve() != chosen.test.resolve():
        training = read(chosen.train)
        seen = {row.text for row in training}
        unseen = [row for row in test if row.text not in seen]
        if len(unseen) < len(test):
            print(f"left out of {chosen.test.name}: {len(test) - len(unseen):,} rows that are in {chosen.train.name}")
        return training, unseen
    parts = [[row for row in test if (row.split in TEST_SPLITS) is tested] for tested in (False, True)]
    if not all(parts):
        raise SystemExit(f"{chosen.test} can't be trained and tested on: it has no column split that tells two parts")
    return parts[0], parts[1]


def _folds(rows: Sequence[Row], count: int) -> Iterator[tuple[list[int], list[int]]]:
    made = StratifiedKFold(count, shuffle=True, random_state=0)
    for training, test in made.split(np.zeros(len(rows)), [row.label for row in rows]):
        yield training.tolist(), test.tolist()
