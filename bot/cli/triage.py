"""`frontdesk triage`: a file of messages in, the same messages with triage and priority out."""

import contextlib
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from bot.cli.models import live_model
from bot.conversation.errors import BadInput, ConfigError, Unavailable
from bot.settings import Settings
from bot.triage.checkpoint import Job, Progress, begun, checkpoint_of, open_checkpoint
from bot.triage.csv_rows import CsvRows
from bot.triage.job import Keeps, Triaging
from bot.triage.jsonl_rows import JsonlRows
from bot.triage.lines import read_lines
from bot.triage.mbox_rows import MboxRows
from bot.triage.output import Form, form_of, output_of
from bot.triage.rows import BadRow, Kind, Rows, kind_of
from bot.triage.workers import Workers

STANDARD = "-"
COLUMN = "text"
_FIXED = {"source": "FILE", "column": "--column", "kind": "--format", "encoding": "--encoding"}
"""What must be given again when a job goes on, and how it is given."""


def main(
    settings: Settings,
    source: str,
    column: str = COLUMN,
    out: Path | None = None,
    kind: str | None = None,
    encoding: str | None = None,
    processes: int | None = None,
) -> None:
    """Triage a file; without `out`, to standard output.

    Raises:
        BadInput: the file can't be read, does not have the column, or the output can't be written.
        ConfigError: there is no trained assistant, or it can't be used.
        Unavailable: a process of the triage has ended.
    """
    if out is not None and source != STANDARD and out.resolve() == Path(source).resolve():
        raise BadInput("--out is the file that is read; choose another")
    form = Form.JSONL if out is None else form_of(out)
    earlier = begun(out) if out is not None else None
    count = processes or min(2, os.cpu_count() or 1)
    with _opened(source) as file:
        found = Kind(kind) if kind else kind_of(source, file.peek(8))
        today = datetime.now(UTC).date().isoformat()
        model = _model(settings, earlier[0] if earlier else None)
        name = source if source == STANDARD else str(Path(source).resolve())
        job = Job(source=name, column=column, kind=found, encoding=encoding, model=model, today=today)
        if earlier:
            job = _same(job, earlier[0], cast(Path, out))
        rows = _rows(file, found, column, encoding)
        progress = earlier[1] if earlier else Progress()
        shown = _Shown(file, source, progress, in_the_way=out is None and sys.stdout.isatty())
        with shown, contextlib.closing(Workers(job.model, count)) as workers:
            output = output_of(form, rows.columns)
            day = date.fromisoformat(job.today)

            def run(target: Keeps) -> Progress:
                parts = Triaging(rows, workers, output, target, day, shown.bad, shown.progress, ahead=2 * count)
                return parts.run(progress)

            _run(run, job, out, shown)


def _run(run: Callable[[Keeps], Progress], job: Job, out: Path | None, shown: "_Shown") -> None:
    try:
        if out is None:
            done = _useful(run(_Standard()))
        else:
            with open_checkpoint(out, job, shown.last) as checkpoint:
                if shown.last.rows:
                    shown.say(f"going on after {shown.last.rows:,} rows")
                done = _useful(run(checkpoint))
                checkpoint.done()
    except KeyboardInterrupt:
        how = "run the same command again to go on" if out else "with --out FILE it could go on from here"
        shown.say(f"stopped after {shown.last.rows:,} rows; {how}")
        raise typer.Exit(130) from None
    except Unavailable as error:
        raise Unavailable(f"{error}; run the same command again to go on" if out else str(error)) from error
    except OSError as error:
        if out is None:
            if isinstance(error, BrokenPipeError):  # who read it has gone
                raise
            # What could not be written would be tried again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where, then = (out, "; run the same command again to go on") if out else ("standard output", "")
        raise Unavailable(f"{where} can't be written: {error.strerror}{then}") from error
    shown.end(done, out)


def _useful(done: Progress) -> Progress:
    if done.rows and done.rows == done.bad:
        raise BadInput(f"none of the {done.rows:,} rows could be triaged")
    return done


def _opened(source: str) -> BufferedReader:
    try:
        descriptor = os.dup(sys.stdin.fileno()) if source == STANDARD else os.open(source, os.O_RDONLY)
        file = os.fdopen(descriptor, "rb")
        file.peek(1)
    except OSError as error:
        raise BadInput(f"{source} can't be read: {error.strerror}") from error
    return file


def _model(settings: Settings, earlier: Job | None) -> Path:
    if earlier is None:
        return live_model(settings).resolve()
    if not earlier.model.is_file():  # a newer one would judge the second half of a file by other rules than the first
        raise ConfigError(f"the model {earlier.model}, with which this was begun, is gone; begin again")
    return earlier.model


def _same(job: Job, earlier: Job, out: Path) -> Job:
    for name, option in _FIXED.items():
        was, now = getattr(earlier, name), getattr(job, name)
        if was != now:
            begin = f"to begin again, remove it and {checkpoint_of(out).name}"
            raise BadInput(f"{out} was begun with {option} {was}, not {now}: give the same to go on; {begin}")
    return earlier


def _rows(file: BufferedReader, kind: Kind, column: str, encoding: str | None) -> Rows:
    if kind is Kind.MBOX:
        return MboxRows(file)
    lines = read_lines(file, encoding)
    return CsvRows(lines, column) if kind is Kind.CSV else JsonlRows(lines, column)


class _Standard:
    """Standard output, which is there for whoever reads it as soon as a batch is done."""

    def write(self, text: str) -> int:
        """Add to it."""
        return sys.stdout.buffer.write(text.encode("utf-8", "replace"))

    def keep(self, progress: Progress) -> None:
        """Pass it on."""
        sys.stdout.buffer.flush()


class _Shown:
    """What is told on standard error: bad rows, the end and, on a terminal, how far it is."""

    def __init__(self, file: BinaryIO, source: str, progress: Progress, in_the_way: bool) -> None:
        self.last = progress
        self._resumed = progress.rows
        self._file = file
        self._console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
        regular = source != STANDARD and Path(source).is_file()
        self._bar = Bar(
            TextColumn("triage"),
            BarColumn(),
            TaskProgressColumn(show_speed=False),
            TextColumn("{task.fields[rows]} rows, {task.fields[speed]}/s"),
            TimeRemainingColumn(),
            console=self._console,
            disable=in_the_way or not self._console.is_terminal,
        )
        total = os.fstat(file.fileno()).st_size if regular else None
        self._task = self._bar.add_task("", total=total, rows=f"{progress.rows:,}", speed="-")

    def __enter__(self) -> "_Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def bad(self, row: BadRow) -> None:
        """Tell of a bad row."""
        self.say(f"row {row.number}: {row.why}; skipped")

    def progress(self, progress: Progress) -> None:
        """Show how far it is; the file is read a little ahead of that."""
        self.last = progress
        elapsed = self._bar.tasks[0].elapsed
        speed = f"{(progress.rows - self._resumed) / elapsed:,.0f}" if elapsed else "-"
        place = self._file.tell() if self._bar.tasks[0].total is not None else 0
        self._bar.update(self._task, completed=place, rows=f"{progress.rows:,}", speed=speed)

    def end(self, done: Progress, out: Path | None) -> None:
        """Tell what was done."""
        written = done.rows - done.bad
        counts = ", ".join(f"{name} {count:,}" for name, count in done.priorities.items()) or "nothing in it"
        skipped = f", {done.bad:,} skipped" if done.bad else ""
        self.say(f"{written:,} rows triaged{skipped}{f' into {out}' if out else ''}: {counts}")

    def say(self, text: str) -> None:
        """Print a line of its own."""
        with contextlib.suppress(OSError):
            self._console.print(text)
