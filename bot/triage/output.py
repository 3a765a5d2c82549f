"""What is written for a row: JSON Lines or CSV. docs/triage.md describes the fields."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bot.conversation.errors import BadInput
from bot.conversation.triage import Triage
from bot.policies.priority import PrioritisedTriage
from bot.triage.rows import Row

FIELDS = ("row", "priority", "reasons", *Triage.model_fields)
"""The fields of a row beside its own columns, in their order; CSV has `reason_details` after `reasons`."""
CSV_FIELDS = (*FIELDS[:3], "reason_details", *FIELDS[3:])
OWN = "input"
"""Where a row's own columns are in JSON Lines; in CSV, what an own column that is called like a field begins with."""


class Form(StrEnum):
    """How a file is written."""

    JSONL = "jsonl"
    CSV = "csv"


class Output(Protocol):
    """Turns rows into text."""

    def head(self) -> str:
        """Return what a file begins with."""

    def line(self, row: Row, found: PrioritisedTriage) -> str:
        """Return what stands for a row."""


def form_of(out: Path) -> Form:
    """Return how a file is to be written, by the ending of its name.

    Raises:
        BadInput: the ending is not known.
    """
    endings = {".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".csv": Form.CSV}
    form = endings.get(out.suffix.lower())
    if form is None:
        raise BadInput(f"--out {out}: the name must end in {', '.join(endings)}")
    return form


def output_of(form: Form, columns: tuple[str, ...] | None) -> Output:
    """Return the output of a form; `columns` are the own columns that every row has, None if each may have others."""
    return JsonlOutput() if form is Form.JSONL else CsvOutput(columns)


class JsonlOutput:
    """One object a line; the row's own columns are in `input`, as they were."""

    def head(self) -> str:
        """Return nothing."""
        return ""

    def line(self, row: Row, found: PrioritisedTriage) -> str:
        """Return the object of a row."""
        fields = {"row": row.number, **found.model_dump(mode="json")}
        return json.dumps({**{name: fields[name] for name in FIELDS}, OWN: row.own}, ensure_ascii=False) + "\n"


class CsvOutput:
    """The row's own columns as they were, then the fields."""

    def __init__(self, columns: tuple[str, ...] | None) -> None:
        self._columns = columns

    def head(self) -> str:
        """Return the header."""
        own = (OWN,) if self._columns is None else self._columns
        return _record([*(f"{OWN}.{name}" if name in CSV_FIELDS else name for name in own), *CSV_FIELDS])

    def line(self, row: Row, found: PrioritisedTriage) -> str:
        """Return the record of a row."""
        whole = json.dumps(row.own, ensure_ascii=False) if self._columns is None else ""
        own = [whole] if self._columns is None else [row.own[name] for name in self._columns]
        fields: dict[str, Any] = {"row": row.number, **found.model_dump(mode="json")}
        fields["reasons"] = [f"{why.code}:{why.cause}" for why in found.reasons]
        fields["reason_details"] = [line for why in found.reasons for line in why.details]
        return _record([*own, *(_cell(fields[name]) for name in CSV_FIELDS)])


def _cell(value: Any) -> Any:
    """Return a value for one cell: a list of words with `;` between them, what is deeper as JSON."""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else ""
    if isinstance(value, list):
        plain = all(isinstance(each, str) for each in value)
        return ";".join(value) if plain else json.dumps(value, ensure_ascii=False)
    return value


def _record(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
