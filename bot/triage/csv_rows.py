"""Rows of CSV files: the separator is found out, and a broken row costs nothing but itself."""

import csv
from collections import deque
from collections.abc import Iterator

from bot.conversation.errors import BadInput
from bot.triage.lines import Line
from bot.triage.rows import BadRow, Row, find_column, missing

SEPARATORS = (",", ";", "\t", "|")
MAX_ROW_CHARS = 1_000_000
"""The longest row that is read; a quotation mark that nobody closed ends here at the latest."""


class CsvRows:
    """A CSV file with a header."""

    def __init__(self, lines: Iterator[Line], column: str) -> None:
        """Read the header.

        Raises:
            BadInput: there is none, or it does not have the column.
        """
        csv.field_size_limit(MAX_ROW_CHARS)
        self._lines = lines
        self._again: deque[Line] = deque()
        self._separator = ","
        self.columns = tuple(_distinct(self._header(column)))
        found = find_column(column, self.columns)
        if found is None:
            raise missing(column, self.columns)
        self._place = self.columns.index(found)

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the rows; blank lines are none."""
        number = 0
        while (line := self._next()) is not None:
            if line.text is not None and not line.text.strip():
                continue
            self._again.appendleft(line)
            number += 1
            try:
                cells, _ = self._record(self._separator)
            except csv.Error as error:
                self._again.popleft()  # the line that broke it; what came after it may be sound
                yield BadRow(number, f"line {line.number} is not CSV: {error}")
            else:
                yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row | BadRow:
        if len(self.columns) == 1:  # a list of texts, whose commas separate nothing
            cells = [self._separator.join(cells)]
        if len(cells) > len(self.columns):
            return BadRow(number, f"it has {len(cells)} columns, the header has {len(self.columns)}")
        cells += [""] * (len(self.columns) - len(cells))
        text = cells[self._place]
        if not text.strip():
            return BadRow(number, "the text is empty")
        return Row(number, text, dict(zip(self.columns, cells, strict=True)))

    def _record(self, separator: str) -> tuple[list[str], list[Line]]:
        """Return the cells of the next record, and its lines.

        Raises:
            csv.Error: it is broken; its lines are there again.
        """
        used: list[Line] = []

        def lines() -> Iterator[str]:
            chars = 0
            while (line := self._next()) is not None:
                used.append(line)
                chars += len(line.text or "")
                if line.text is None or chars > MAX_ROW_CHARS:
                    raise csv.Error("it is too long")
                yield line.text

        try:
            return next(csv.reader(lines(), delimiter=separator, strict=True)), used
        except csv.Error:
            self._again.extendleft(reversed(used))
            raise

    def _header(self, column: str) -> list[str]:
        line = self._next()
        while line is not None and line.text is not None and not line.text.strip():
            line = self._next()
        if line is None:
            raise BadInput("the file is empty")
        told = (line.text or "").strip()
        if told.lower().startswith("sep=") and len(told) == 5:  # Excel's own mark
            candidates: tuple[str, ...] = (told[-1],)
        else:
            candidates = SEPARATORS
            self._again.append(line)
        headers = {separator: self._try(separator) for separator in candidates}
        self._separator = max(
            headers, key=lambda each: (find_column(column, headers[each]) is not None, len(headers[each]))
        )
        if not headers[self._separator]:
            raise BadInput("the first line is not the header of a CSV file")
        return self._record(self._separator)[0]

    def _try(self, separator: str) -> list[str]:
        try:
            cells, used = self._record(separator)
        except (csv.Error, StopIteration):
            return []
        self._again.extendleft(reversed(used))
        return cells

    def _next(self) -> Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)


def _distinct(names: list[str]) -> list[str]:
    """Return names, one that was there before with a number."""
    found: list[str] = []
    for name in names:
        count, new = 1, name
        while new in found:
            count += 1
            new = f"{name}.{count}"
        found.append(new)
    return found
