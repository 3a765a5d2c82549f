"""Rows of JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from typing import Any

from bot.triage.lines import Line
from bot.triage.rows import BadRow, Row, missing

_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


class JsonlRows:
    """A file of JSON objects; the number of a row is that of its line."""

    columns = None

    def __init__(self, lines: Iterator[Line], column: str) -> None:
        self._lines = lines
        self._column = column

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the rows; blank lines are none.

        Raises:
            BadInput: the first object does not have the column.
        """
        first = True
        for line in self._lines:
            if line.text is not None and not line.text.strip():
                continue
            found = self._read(line)
            if isinstance(found, BadRow):
                yield found
                continue
            if first and self._column not in found:
                raise missing(self._column, list(found))
            first = False
            yield self._row(line.number, found)

    def _read(self, line: Line) -> dict[str, Any] | BadRow:
        if line.text is None:
            return BadRow(line.number, "the line is too long")
        try:
            found = json.loads(line.text.rstrip("\r\n"), parse_constant=lambda _: None)  # NaN is not JSON
        except (ValueError, RecursionError) as error:
            place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            return BadRow(line.number, f"it is not JSON{place}")
        return found if isinstance(found, dict) else BadRow(line.number, "it is not a JSON object")

    def _row(self, number: int, found: dict[str, Any]) -> Row | BadRow:
        text = found.get(self._column)
        if text is None or (isinstance(text, str) and not text.strip()):
            what = "is empty" if self._column in found else "is missing"
            return BadRow(number, f"{self._column!r} {what}")
        if not isinstance(text, str):
            return BadRow(number, f"{self._column!r} is {_KINDS.get(type(text), 'no text')}, not a text")
        return Row(number, text, found)
