"""Sentiment: `uv run python -m bench.sentiment [--train A.csv] --test B.csv`, or `--train A.csv --folds 10`.

Labels are negative, neutral and positive. The bars for the shipped heads are those of airline tweets (macro-F1) and of
TweetEval's validation part (macro-recall); of another file, only the one that its name stands for counts.
"""

from collections.abc import Sequence

from bench.bars import Figure
from bench.complaints import ask, shipped
from bench.heads import command_line, judged, report
from bench.labelled import measure_triage

BARS = {"airline": {"macro_f1": 0.74}, "tweeteval": {"macro_recall": 0.66}}


def bars_of(name: str) -> dict[str, float]:
    """Return the bars for a file, by the beginning of its name."""
    return next((bars for start, bars in BARS.items() if name.startswith(start)), {})


def main() -> None:
    """Measure."""
    chosen = command_line("How well the sentiment is told.")
    rows, said = judged(chosen, ask, shipped)
    found = measure_triage(rows, "sentiment", said)
    bars: dict[str, float] = {} if chosen.train else bars_of(chosen.test.name)
    figures: Sequence[Figure] = [Figure(name, value, "", bars.get(name), True, 3) for name, value in found.items()]
    report("Sentiment", list(figures), found, chosen.json)


if __name__ == "__main__":
    main()
