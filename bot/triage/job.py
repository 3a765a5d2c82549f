"""Rows in, triaged rows out, in order and a few batches at a time, so that memory does not depend on the file."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Protocol

from bot.conversation.errors import BadInput
from bot.policies.priority import PrioritisedTriage
from bot.triage.checkpoint import Digest, Progress
from bot.triage.output import Output
from bot.triage.rows import BadRow, Row

logger = logging.getLogger(__name__)

BATCH = 64
MAX_BATCH_CHARS = 1_000_000
"""Characters, own columns included, at which a batch is full before it has all its rows."""

Result = PrioritisedTriage | BadRow


class Submits(Protocol):
    """What triages; see `bot.triage.workers.Workers`."""

    def submit(self, texts: Sequence[str], today: date) -> Future[list[PrioritisedTriage]]:
        """Begin to triage texts."""


class Keeps(Protocol):
    """Where the output goes; see `bot.triage.checkpoint.Checkpoint`."""

    def write(self, text: str) -> int:
        """Add to the output; returns the number of bytes."""

    def keep(self, progress: Progress) -> None:
        """Make what was written last."""


@dataclass(frozen=True)
class Triaging:
    """A job's parts. `tell` gets each bad row, `show` the progress after each batch."""

    rows: Iterable[Row | BadRow]
    workers: Submits
    output: Output
    target: Keeps
    today: date
    tell: Callable[[BadRow], None]
    show: Callable[[Progress], None]
    ahead: int = 4
    """Batches that are being triaged at once."""

    def run(self, progress: Progress) -> Progress:
        """Go on after `progress` to the end of the rows, and return what was done in all.

        Raises:
            BadInput: the first rows are not those that were read before.
        """
        digest = Digest()
        rows = iter(self.rows)
        _skip(rows, progress, digest)
        if not progress.rows:
            progress = progress.model_copy(update={"bytes": self.target.write(self.output.head())})
        waiting: deque[tuple[list[Row | BadRow], Future[list[PrioritisedTriage]]]] = deque()
        for batch in _batches(rows):
            texts = [row.text for row in batch if isinstance(row, Row)]
            waiting.append((batch, self.workers.submit(texts, self.today)))
            if len(waiting) >= self.ahead:
                progress = self._write(*waiting.popleft(), progress, digest)
        while waiting:
            progress = self._write(*waiting.popleft(), progress, digest)
        self.target.keep(progress)
        return progress

    def _write(
        self, batch: list[Row | BadRow], future: Future[list[PrioritisedTriage]], progress: Progress, digest: Digest
    ) -> Progress:
        results = iter(self._results(batch, future))
        size, priorities = 0, []
        for row in batch:
            digest.add(row)
            found = next(results) if isinstance(row, Row) else row
            if isinstance(row, Row) and isinstance(found, PrioritisedTriage):
                size += self.target.write(self.output.line(row, found))
                priorities.append(found.priority)
            elif isinstance(found, BadRow):
                self.tell(found)
        progress = progress.after(batch, str(digest), size, priorities)
        self.target.keep(progress)
        self.show(progress)
        return progress

    def _results(self, batch: list[Row | BadRow], future: Future[list[PrioritisedTriage]]) -> list[Result]:
        try:
            return list(future.result())
        except RuntimeError as error:
            logger.debug("batch_failed error=%s", error)
        # One of the texts can't be triaged: all others can.
        return [self._alone(row) for row in batch if isinstance(row, Row)]

    def _alone(self, row: Row) -> Result:
        try:
            return self.workers.submit([row.text], self.today).result()[0]
        except RuntimeError as error:
            return BadRow(row.number, f"it can't be triaged ({error})")


def _skip(rows: Iterator[Row | BadRow], progress: Progress, digest: Digest) -> None:
    for row in islice(rows, progress.rows):
        digest.add(row)
    if progress.rows and str(digest) != progress.digest:
        raise BadInput(
            f"the first {progress.rows:,} rows are not those that were read before; to begin again, remove the output"
            " and the .resume file beside it"
        )


def _batches(rows: Iterator[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    batch: list[Row | BadRow] = []
    chars = 0
    for row in rows:
        batch.append(row)
        if isinstance(row, Row):
            chars += len(row.text) + sum(len(str(value)) for value in row.own.values())
        if len(batch) >= BATCH or chars >= MAX_BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch
