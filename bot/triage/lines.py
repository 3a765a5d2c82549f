"""The lines of a file, one at a time, whatever wrote it: UTF-8, UTF-16, Windows' code page 1252, an old Mac."""

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from typing import AnyStr

from bot.conversation.errors import BadInput

MAX_LINE_CHARS = 4_000_000
"""The longest line that is kept; of a longer one there is only a number."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its number, from 1; `text` keeps the line's end, and is None if the line is too long."""

    number: int
    text: str | None


def read_lines(file: BufferedReader, encoding: str | None = None) -> Iterator[Line]:
    """Yield the lines of a file.

    Args:
        file: what is read; never a whole one at once.
        encoding: of the file; None: found out for each line, as UTF-8 and else as code page 1252.

    Raises:
        BadInput: the encoding is not known.
    """
    for number, line in enumerate(_decoded(file, encoding), start=1):
        yield Line(number, line)


def decode(raw: bytes) -> str:
    """Return bytes as text: as UTF-8, else as code page 1252, which is what Windows writes."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _decoded(file: BufferedReader, encoding: str | None) -> Iterator[str | None]:
    start = file.peek(4)
    if encoding is None:
        encoding = _utf_16(start)
    if encoding is not None:
        _require_known(encoding)
        first = True
        with _characters(file, encoding, newline="") as text:
            for line in _whole(lambda: text.readline(MAX_LINE_CHARS), "\n"):
                yield line.removeprefix("\ufeff") if first and line else line
                first = False
        return
    if start.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
    if b"\r" in start[:-1] and b"\n" not in start:  # an old Mac's lines
        with _characters(file, "latin-1", newline="\r") as text:
            for line in _whole(lambda: text.readline(MAX_LINE_CHARS), "\r"):
                yield None if line is None else decode(line.encode("latin-1"))
        return
    for raw in _whole(lambda: file.readline(MAX_LINE_CHARS), b"\n"):
        yield None if raw is None else decode(raw)


@contextmanager
def _characters(file: BufferedReader, encoding: str, newline: str) -> Iterator[TextIOWrapper]:
    text = TextIOWrapper(file, encoding, errors="replace", newline=newline)
    try:
        yield text
    finally:
        text.detach()  # or the file would be closed with it


def _require_known(encoding: str) -> None:
    try:
        b" ".decode(encoding, "replace")  # "undefined" is an encoding that only fails when it is used
    except (LookupError, UnicodeError) as error:
        raise BadInput(f"the encoding {encoding} is not known; try utf-8, cp1252 or utf-16") from error


def _utf_16(start: bytes) -> str | None:
    """Return how a file is encoded that begins so, if it is UTF-16: with its mark, or with letters such as A to Z."""
    if start.startswith(_UTF_16):
        return "utf-16"
    if len(start) >= 4 and 0 not in start[0:4:2] and start[1:4:2] == b"\0\0":
        return "utf-16-le"
    if len(start) >= 4 and 0 not in start[1:4:2] and start[0:4:2] == b"\0\0":
        return "utf-16-be"
    return None


def _whole(read: Callable[[], AnyStr], end: AnyStr) -> Iterator[AnyStr | None]:
    """Yield what `read` gives, and None for a line that comes in pieces because it is too long."""
    pieces = 0
    while piece := read():
        cut = len(piece) >= MAX_LINE_CHARS and not piece.endswith(end)
        if not cut:
            yield None if pieces else piece
        pieces = pieces + 1 if cut else 0
    if pieces:
        yield None
