"""The benches of the heads: what they read, what they count, and what they write."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.labelled import Row, false_alarms, measure_intents, measure_triage, read
from bot.conversation.triage import Sentiment, Severity
from bot.nlu.heads import Judgement
from bot.nlu.intents import IntentGuess
from tests.running import ROOT

COMPLAINTS = ("the lamp came broken and nobody answers", "third week without my parcel", "you charged me twice, again")
REST = ("what time do you open", "lovely shop, thank you", "is the blue one in stock")


def test_a_file_without_labels_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ["text", "kind"], [["hello", "x"]])
    with pytest.raises(SystemExit, match="columns text and label are needed, not text, kind"):
        read(tmp_path / "a.csv")


def test_rows_know_whether_they_are_addressed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ["text", "label", "domain"], [["a", "complaint", "retail"], ["b", "x", "random_tweet"]])
    assert [row.addressed for row in read(tmp_path / "a.csv")] == [True, False]


def test_figures_of_complaints_are_shares_of_the_rows() -> None:
    rows = [Row("a", "complaint"), Row("b", "complaint"), Row("c", "not_complaint"), Row("d", "not_complaint")]
    found = measure_triage(rows, "complaint", [judged(score) for score in (0.9, 0.1, 0.2, 0.0)])
    assert (found["n"], found["accuracy"], found["auc"]) == (4, 0.75, 0.75)
    assert found["macro_recall"] == pytest.approx(0.75)


def test_false_alarms_are_counted_where_enough_complaints_are_found() -> None:
    rows = [Row("a", "complaint"), Row("b", "complaint"), Row("c", "no", False), Row("d", "no", False)]
    assert false_alarms(rows, [judged(score) for score in (0.9, 0.5, 0.6, 0.1)], recall=1.0) == 0.5
    assert false_alarms(rows, [judged(score) for score in (0.9, 0.5, 0.4, 0.1)], recall=1.0) == 0


def test_what_is_out_of_scope_counts_by_itself() -> None:
    rows = [Row("a", "pay"), Row("b", "ship"), Row("c", "oos")]
    guesses = [
        IntentGuess((("pay", 0.9), ("ship", 0.1)), 0.1),
        IntentGuess((("out_of_scope", 0.6), ("ship", 0.4)), 0.2),
        IntentGuess((("pay", 0.5), ("ship", 0.5)), 0.8),
    ]
    found = measure_intents(rows, guesses)
    assert (found["n"], found["accuracy"], found["oos_auroc"], found["oos_recall_at_90"]) == (2, 1, 1, 1)


def test_a_bench_trains_tests_and_writes_its_figures(tmp_path: Path) -> None:
    rows = [[text, "complaint", "retail"] for text in COMPLAINTS] + [[text, "not_complaint", "retail"] for text in REST]
    chatter = [
        ["rain again then", "not_complaint", "random_tweet"],
        ["so tired today", "not_complaint", "random_tweet"],
    ]
    write(tmp_path / "train.csv", ["text", "label", "domain"], [*rows, *chatter])
    unseen = [["my order came torn and late", "complaint", "retail"], ["do you sell rugs", "not_complaint", "retail"]]
    other = [["nice weather", "not_complaint", "random_reply"]]
    write(tmp_path / "test.csv", ["text", "label", "domain"], [*unseen, *other, rows[0]])
    arguments = ["--train", "train.csv", "--test", "test.csv", "--json", "out.json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.complaints", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "left out of test.csv: 1 rows that are in train.csv" in done.stdout, done.stderr
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (found["n"], found["addressed"]["n"]) == (3, 2)
    for name in ("accuracy", "macro_f1", "macro_recall", "auc", "ece"):
        assert 0 <= found[name] <= 1
        assert 0 <= found["addressed"][name] <= 1
    assert any(figure["bar"] for figure in found["figures"])


def judged(complaint: float) -> Judgement:
    return Judgement(complaint, Severity.NONE, {}, (), (), Sentiment.NEUTRAL, 0.0, {})


def write(file: Path, columns: list[str], rows: list[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([columns, *rows])
