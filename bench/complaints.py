"""Complaints: `uv run python -m bench.complaints [--train A.csv] --test B.csv`, or `--train A.csv --folds 10`.

Labels are complaint and not_complaint. With a column `domain`, rows whose domain does not begin with `random` are
addressed to a company, and measured by themselves as well; with `--folds` they are trained and tested on alone. The
shipped heads call a message a complaint from COMPLAINT_THRESHOLD on, those that are trained in-domain from 0.5 on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.bars import Figure, finish
from bench.heads import command_line, cross_judged, judged
from bench.labelled import EVEN, Row, Trained, false_alarms, measure_triage
from bot.nlu.encoder import shared_encoder
from bot.nlu.heads import COMPLAINT_THRESHOLD, Judgement
from bot.nlu.intents import Taught
from bot.nlu.triage_data import read_examples

SHIPPED = {"all": {"auc": 0.87}, "addressed": {"auc": 0.90}}
IN_DOMAIN = {"all": {"macro_f1": 0.87, "auc": 0.945}, "addressed": {"macro_f1": 0.82, "auc": 0.90}}
RECALL, FALSE_ALARMS = 0.75, 0.10


def shipped() -> Trained:
    """Train on the shipped sentences."""
    return Trained(shared_encoder(), read_examples(Path("nlu_data/triage")), Taught([]))


def ask(heads: Trained, rows: Sequence[Row]) -> list[Judgement]:
    """Return what heads say of rows."""
    return heads.judge(rows)


def main() -> None:
    """Measure."""
    chosen = command_line("How well complaints are found.")
    rows, said = judged(chosen, ask, shipped)
    complaint_from = EVEN if chosen.train else COMPLAINT_THRESHOLD
    found: dict[str, Any] = measure_triage(rows, "complaint", said, complaint_from)
    bars = IN_DOMAIN if chosen.train else SHIPPED
    figures = [Figure(f"all rows: {name}", found[name], "", bars["all"].get(name), True, 3) for name in found]
    addressed = [place for place, row in enumerate(rows) if row.addressed]
    if 0 < len(addressed) < len(rows):
        false = false_alarms(rows, said, RECALL)
        found["false_alarms_at_75_recall"] = false
        bar = None if chosen.train else FALSE_ALARMS
        figures.append(
            Figure("chatter called a complaint, where 75 % of complaints are found", false, "", bar, False, 3)
        )
        part = [rows[place] for place in addressed]
        answers = cross_judged(part, chosen.folds, ask) if chosen.folds else [said[place] for place in addressed]
        found["addressed"] = measure_triage(part, "complaint", answers, complaint_from)
        figures += [
            Figure(f"addressed to a company: {name}", value, "", bars["addressed"].get(name), True, 3)
            for name, value in found["addressed"].items()
        ]
    finish("Complaints", figures, chosen.json, found)


if __name__ == "__main__":
    main()
