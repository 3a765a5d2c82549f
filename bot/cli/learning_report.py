"""An evaluation as tables that people read."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from bot.cli.tables import print_table
from bot.learning.evaluation import Comparison, Evaluation, Example, HeadReport, Scores
from bot.learning.replay import EpisodeChange, Replayed
from bot.learning.statistics import Interval

MATRIX = 8
"""The most labels that are shown as a square; of more, the most frequent confusions."""
SHOWN = 10


class Replaying:
    """How far a replay is; shown on a terminal only."""

    def __init__(self) -> None:
        columns = (TextColumn("replayed {task.completed:,.0f} episodes"),)
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None)
        if self._bar.console.is_terminal:
            self._bar.start()

    def add(self, episodes: int) -> None:
        """Count episodes in."""
        self._bar.advance(self._task, episodes)

    def end(self) -> None:
        """Take it away."""
        self._bar.stop()


def show(evaluation: Evaluation, kept: Path) -> None:
    """Print an evaluation, which is `kept` in a file."""
    beside = f", beside {evaluation.against}" if evaluation.against else ", beside no other model"
    print(f"{evaluation.model}{beside}; 95 % intervals in brackets\n")
    _summary(evaluation)
    for head in evaluation.heads:
        _details(head)
    if evaluation.replay:
        _replay(evaluation.replay)
    print(f"\nkept in {kept}")


def _summary(evaluation: Evaluation) -> None:
    table = _table("head", "n", "accuracy", "macro-F1", "calibration error")
    if evaluation.against:
        for column in ("accuracy − other", "macro-F1 − other", "better", "worse", "p"):
            table.add_column(column, justify="right")
    for head in evaluation.heads:
        scores, compared = head.scores, head.comparison
        row = [head.head, str(head.n), _interval(scores.accuracy), _interval(scores.macro_f1), _ece(scores)]
        table.add_row(*row, *(_compared(compared) if compared else []))
    print_table(table)


def _compared(found: Comparison) -> list[str]:
    differences = [_interval(found.accuracy, signed=True), _interval(found.macro_f1, signed=True)]
    return [*differences, str(found.better), str(found.worse), "<0.001" if found.p < 0.001 else f"{found.p:.3f}"]


def _details(report: HeadReport) -> None:
    print(f"\n{report.head}: {report.n} messages")
    labels = [each.label for each in report.scores.labels]
    if len(labels) <= MATRIX:
        table = _table("label", "n", "precision", "recall", "F1")
        for each in report.scores.labels:
            table.add_row(each.label, str(each.n), f"{each.precision:.3f}", f"{each.recall:.3f}", f"{each.f1:.3f}")
        print_table(table)
    if all({pair.wanted, pair.got} <= set(labels) for pair in report.confusions) and len(labels) <= MATRIX:
        _square(report)
    elif report.confusions:
        print("taken for another, most often first")
        table = Table("should be", "is called", box=None, pad_edge=False)
        table.add_column("times", justify="right")
        for pair in report.confusions[:SHOWN]:
            table.add_row(pair.wanted, pair.got, str(pair.count))
        print_table(table)
        if len(report.confusions) > SHOWN:
            print(f"… and {len(report.confusions) - SHOWN} other pairs")
    if report.comparison:
        _examples("newly wrong", report.comparison.worse, report.comparison.newly_wrong)
        _examples("newly right", report.comparison.better, report.comparison.newly_right)


def _square(report: HeadReport) -> None:
    counts = {(pair.wanted, pair.got): pair.count for pair in report.confusions}
    counts |= {(each.label, each.label): round(each.n * each.recall) for each in report.scores.labels}
    labels = [each.label for each in report.scores.labels]
    table = _table("should be ↓ is called →", *labels)
    for wanted in labels:
        table.add_row(wanted, *(str(counts.get((wanted, got), 0)) for got in labels))
    print_table(table)


def _examples(title: str, count: int, examples: tuple[Example, ...]) -> None:
    if not count:
        return
    print(f"{title}: {count}")
    table = Table("message", "should be", "was called", "is called", box=None, pad_edge=False)
    for each in examples[:SHOWN]:
        table.add_row(each.text, each.wanted, each.was, each.got)
    print_table(table)


def _replay(found: Replayed) -> None:
    print(
        f"\nreplay of {found.days} days against {found.before}: {found.episodes:,} episodes with {found.messages:,}"
        f" messages of customers"
    )
    if not found.episodes:
        print("nothing was said in that time")
        return
    table = Table("what", box=None, pad_edge=False)
    table.add_column("count", justify="right")
    for name, count in (
        ("messages that change intent", found.changed),
        ("episodes that newly go to a person", found.newly),
        ("episodes that no longer go to a person", found.no_longer),
        ("episodes replayed only in part: the conversation would have gone another way", found.cut),
        ("episodes that go in the replay as they went in the log, before", found.as_logged),
        ("messages not read anew: buttons, commands, attachments", found.kept),
    ):
        table.add_row(name, f"{count:,}")
    print_table(table)
    if found.pairs:
        table = Table("intent before", "intent now", box=None, pad_edge=False)
        table.add_column("messages", justify="right")
        for pair in found.pairs[:SHOWN]:
            table.add_row(pair.before, pair.after, str(pair.count))
        print_table(table)
    _episodes("newly to a person", found.newly_handed_over)
    _episodes("no longer to a person", found.no_longer_handed_over)


def _episodes(title: str, episodes: tuple[EpisodeChange, ...]) -> None:
    if not episodes:
        return
    print(f"{title} (frontdesk transcript shows a conversation)")
    table = Table("conversation", "after message", "reason", "cause", box=None, pad_edge=False)
    for each in episodes[:SHOWN]:
        table.add_row(each.conversation, each.message, each.reason, each.cause)
    print_table(table)


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, pad_edge=False)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _interval(found: Interval, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{found.value:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


def _ece(scores: Scores) -> str:
    return "–" if scores.ece is None else f"{scores.ece:.3f}"
