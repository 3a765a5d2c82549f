"""How far a file has been written, kept beside it, so that a job that was cut off goes on without a row lost or twice.

The file is written and synced first, then the checkpoint is replaced by a new one. Whatever the file holds beyond the
checkpoint, a torn line for example, is cut off when the job goes on.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.conversation.errors import BadInput, Conflict, FrontdeskError
from bot.conversation.events import Priority
from bot.triage.rows import BadRow, Row
from bot.whole_files import replace_files

SUFFIX = ".resume"


class Job(BaseModel):
    """What must be the same when a job goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    column: str
    kind: str
    encoding: str | None
    model: Path
    today: str


class Progress(BaseModel):
    """What is done: rows read and rows written, bytes of the output, and a digest of all that was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = 0
    bad: int = 0
    bytes: int = 0
    digest: str = ""
    priorities: dict[Priority, int] = {}

    def after(self, read: list[Row | BadRow], digest: str, size: int, found: list[Priority]) -> "Progress":
        """Return the progress after some more rows."""
        counts = {each: self.priorities.get(each, 0) + found.count(each) for each in Priority}
        bad = self.bad + len(read) - len(found)
        return Progress(rows=self.rows + len(read), bad=bad, bytes=self.bytes + size, digest=digest, priorities=counts)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Job
    progress: Progress


class Digest:
    """The digest of rows in their order."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, row: Row | BadRow) -> None:
        """Count a row in."""
        read = (row.text, row.own) if isinstance(row, Row) else ()
        self._sum.update(f"{row.number} {json.dumps(read)}\n".encode())

    def __str__(self) -> str:
        return self._sum.hexdigest()


def checkpoint_of(out: Path) -> Path:
    """Return the file beside an output that says how far it is."""
    return out.with_name(out.name + SUFFIX)


def begun(out: Path) -> tuple[Job, Progress] | None:
    """Return a job that was cut off, None if there is none.

    Raises:
        BadInput: there is an output of another making, or the checkpoint can't be read.
    """
    file = checkpoint_of(out)
    try:
        kept = _Kept.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        if out.exists():
            raise BadInput(f"{out} is there already; remove it, or choose another --out") from None
        return None
    except (OSError, ValidationError) as error:
        raise BadInput(f"{file} can't be read; remove it and {out} to begin again") from error
    size = out.stat().st_size if out.exists() else 0
    if size < kept.progress.bytes:
        raise BadInput(f"{out} is shorter than when it was cut off; remove it and {file.name} to begin again")
    return kept.job, kept.progress


class Checkpoint:
    """The open output and its checkpoint."""

    def __init__(self, out: Path, file: BinaryIO, job: Job) -> None:
        self._out = out
        self._file = file
        self._job = job
        self.rows_written = 0

    def write(self, text: str) -> int:
        """Add to the output; returns the number of bytes."""
        return self._file.write(text.encode("utf-8", "replace"))

    def keep(self, progress: Progress) -> None:
        """Make the output, and then how far it is, last."""
        self._file.flush()
        os.fsync(self._file.fileno())
        _keep(self._out, self._job, progress)
        self.rows_written = progress.rows - progress.bad

    def done(self) -> None:
        """Leave the output alone: it is whole."""
        checkpoint_of(self._out).unlink()


@contextlib.contextmanager
def open_checkpoint(out: Path, job: Job, progress: Progress) -> Iterator[Checkpoint]:
    """Open an output to go on after what was done.

    Raises:
        BadInput: it can't be written.
        Conflict: another process writes it.
    """
    try:
        if not progress.rows:
            _keep(out, job, progress)
        descriptor = os.open(out, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadInput(f"--out {out} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"{out} is being written by another run") from None
        file.truncate(progress.bytes)
        file.seek(progress.bytes)
        checkpoint = Checkpoint(out, file, job)
        checkpoint.rows_written = progress.rows - progress.bad
        try:
            yield checkpoint
        except FrontdeskError:
            if not checkpoint.rows_written:  # nothing to go on with
                checkpoint_of(out).unlink()
                out.unlink()
            raise


def _keep(out: Path, job: Job, progress: Progress) -> None:
    replace_files({checkpoint_of(out): _Kept(job=job, progress=progress).model_dump_json()})
