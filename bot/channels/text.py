"""What customers type, made safe to store, to show and to work on."""

import re
import unicodedata

MAX_CHARS = 100_000
"""The longest text that is accepted, in characters."""
MAX_MARKS = 30
"""Combining marks that may follow one letter.  Source: Unicode Standard Annex 15, Stream-Safe Text Format."""
MAX_DEPTH = 16
"""Levels of direction inside a line; people use one or two."""

_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_EMBEDDING_END, _ISOLATE_END = "\u202c", "\u2069"
_ENDS = {
    "\u202a": _EMBEDDING_END,
    "\u202b": _EMBEDDING_END,
    "\u2066": _ISOLATE_END,
    "\u2067": _ISOLATE_END,
    "\u2068": _ISOLATE_END,
}
# An override shows letters in another order than they have ("gpj.exe"); an embedding of the same direction can't.
_CALM = {"\u202d": "\u202a", "\u202e": "\u202b"}


def normalise(text: str) -> str:
    r"""Return the text in Unicode's NFC, without control characters (newline and tab stay) and without blank ends.

    Lone surrogates become U+FFFD. Marks of writing direction stay, but end with their line and never reorder letters.
    A text that shows nothing becomes empty.
    """
    text = _NEWLINES.sub("\n", text).translate(_CONTROLS)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _thin_out_marks(mend_surrogates(text)))
        if _BIDI.search(text):
            text = "\n".join(_balance(line) for line in text.split("\n"))
    return text.strip() if _shows_something(text) else ""


def mend_surrogates(text: str) -> str:
    """Return the text with halves of pairs joined, and U+FFFD for halves that are alone."""
    if _SURROGATES.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str, max_chars: int) -> str:
    """Return a name (of a person, a file) as one short line without any marks of writing direction."""
    return " ".join(_BIDI.sub("", normalise(text)).split())[:max_chars]


def _thin_out_marks(text: str) -> str:
    # Putting marks into their order takes time that grows with the square of their number.
    kept, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _balance(line: str) -> str:
    kept: list[str] = []
    waiting: list[str] = []
    for char in line:
        char = _CALM.get(char, char)
        if char in _ENDS:
            if len(waiting) == MAX_DEPTH:
                continue
            waiting.append(_ENDS[char])
        elif char == _EMBEDDING_END:
            if not waiting or waiting[-1] != char:
                continue
            waiting.pop()
        elif char == _ISOLATE_END:
            if char not in waiting:
                continue
            while waiting.pop() != char:
                kept.append(_EMBEDDING_END)
        kept.append(char)
    return "".join(kept) + "".join(reversed(waiting))


def _shows_something(text: str) -> bool:
    return any(unicodedata.category(char)[0] not in "CZ" for char in text)
