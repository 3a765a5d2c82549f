"""What a file is read as: rows in their order, and those that can't be read, with the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Protocol

from bot.conversation.errors import BadInput

MAX_NAMES = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A row with a text: `number` counts rows from 1, `own` holds the row's own columns."""

    number: int
    text: str
    own: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be used, and why."""

    number: int
    why: str


class Rows(Protocol):
    """A file that is being read."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The own columns that every row has; None if each row may have others."""

    def __iter__(self) -> Iterator[Row | BadRow]: ...


class Kind(StrEnum):
    """How a file is made."""

    CSV = "csv"
    JSONL = "jsonl"
    MBOX = "mbox"


_ENDINGS = {
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".mbox": Kind.MBOX,
    ".mbx": Kind.MBOX,
}


def kind_of(name: str, start: bytes) -> Kind:
    """Return the kind of a file by the ending of its name, else by its first bytes.

    Raises:
        BadInput: it is of a kind that can't be read.
    """
    if start.startswith(b"PK\x03\x04"):
        raise BadInput(f"{name} is a spreadsheet or an archive; save it as CSV and try again")
    known = _ENDINGS.get(PurePath(name).suffix.lower())
    if known:
        return known
    begins = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begins.startswith(b"["):
        raise BadInput(f"{name} is one JSON list; what can be read is JSON Lines: one object a line")
    if start.startswith(b"From "):
        return Kind.MBOX
    return Kind.JSONL if begins.startswith(b"{") else Kind.CSV


def missing(column: str, there: tuple[str, ...] | list[str]) -> BadInput:
    """Return the error that a column is not there, with those that are."""
    names = ", ".join(there[:MAX_NAMES]) + (", …" if len(there) > MAX_NAMES else "")
    return BadInput(f"there is no column {column!r}; there are: {names or 'none'}. Choose one with --column")


def find_column(wanted: str, there: tuple[str, ...] | list[str]) -> str | None:
    """Return a column as it is written in the file: exactly, or else the only one that differs by case and blanks."""
    if wanted in there:
        return wanted
    alike = [name for name in there if name.strip().casefold() == wanted.strip().casefold()]
    return alike[0] if len(alike) == 1 else None
