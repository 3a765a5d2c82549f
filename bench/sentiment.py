"""Sentiment: `uv run python -m bench.sentiment [--train A.csv] --test B.csv`, or `--train A.csv --folds 10`.

Labels are negative, neutral and positive. The bars for the shipped heads are those of airline tweets (macro-F1) and of
TweetEval's validation part (macro-recall); of another file, only the one that its name stands for counts.
"""

from bench.bars import Figure, finish
from bench.complaints import ask, shipped
from bench.heads import bars_of, command_line, judged
from bench.labelled import measure_triage

BARS = {"airline": {"macro_f1": 0.74}, "tweeteval": {"macro_recall": 0.66}}


def main() -> None:
    """Measure."""
    chosen = command_line("How well the sentiment is told.")
    rows, said = judged(chosen, ask, shipped)
    found = measure_triage(rows, "sentiment", said)
    bars = bars_of(None if chosen.train else chosen.test, BARS)
    figures = [Figure(name, value, "", bars.get(name), True, 3) for name, value in found.items()]
    finish("Sentiment", figures, chosen.json, found)


if __name__ == "__main__":
    main()
