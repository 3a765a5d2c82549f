"""Intents: `uv run python -m bench.intents --train A.csv --test B.csv`, or `--train A.csv --folds 10`.

Labels are names of intents; `oos` stands for what no intent is for. Without `--train`, the shipped intents are tested.
With a column `split`, one file can be named twice: it is trained on its training part.
"""

from collections.abc import Sequence
from pathlib import Path

from bench.bars import Figure, finish
from bench.heads import bars_of, command_line, judged
from bench.labelled import Row, Trained, measure_intents
from bot.nlu.encoder import shared_encoder
from bot.nlu.intents import IntentGuess

BARS = {
    "banking77_fewshot_10": {"accuracy": 0.87},
    "banking77_fewshot_5": {},
    "banking77": {"accuracy": 0.935},
    "clinc150": {"accuracy": 0.96, "oos_auroc": 0.972, "oos_recall_at_90": 0.94},
}
"""By the beginning of the name of the file that is trained on."""


def shipped() -> Trained:
    """Train on the shipped intents."""
    from bot.rasa_runtime import taught_intents

    return Trained(shared_encoder(), [], taught_intents(Path("domain.yml"), Path("nlu_data")))


def ask(heads: Trained, rows: Sequence[Row]) -> list[IntentGuess]:
    """Return what heads say of rows."""
    return heads.guess(rows)


def main() -> None:
    """Measure."""
    chosen = command_line("How well intents are told, and what no intent is for.")
    rows, said = judged(chosen, ask, shipped)
    found = measure_intents(rows, said)
    bars = bars_of(chosen.train, BARS)
    figures = [Figure(figure, value, "", bars.get(figure), True, 3) for figure, value in found.items()]
    finish("Intents", figures, chosen.json, found)


if __name__ == "__main__":
    main()
