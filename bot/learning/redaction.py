"""Take personal data out of what customers wrote, before it leaves the database.

Found is what has a format: e-mail addresses, phone and order numbers, cards, accounts, postcodes, identity numbers, any
other long number, links, handles, and the name under which the customer writes. Names and addresses in free text are
not: whoever labels a message reads it, and takes them out.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from bot.nlu.entities import EntityFinder
from bot.nlu.personal_data import PersonalDataFinder
from bot.nlu.text import mask, normalise

IDENTIFYING = frozenset({"email", "phone", "order_number"})
"""Entities that lead to a person."""

_LONG_NUMBER = re.compile(r"(?<![\w£$€.])\d(?:[ -]?\d){5,}(?!\w)")
_PLACEHOLDER = re.compile(r"\[[a-z_]+\]")
_LEAST_NAME = 3
_ANY_DAY = date(2000, 1, 1)
_NUMBERS = frozenset({"amount", "date"})
"""Entities whose digits are no number of a person's."""
_HARMLESS = ""


class Redactor:
    """Finds what points to a person and puts a placeholder such as `[order_number]` in its place."""

    def __init__(self, patterns: Path) -> None:
        """Read the patterns of entities, a folder like `nlu_data/entities`.

        Raises:
            ConfigError: a file of patterns is not as it should be.
        """
        self._entities = EntityFinder(patterns)
        self._personal = PersonalDataFinder()

    def redact(self, text: str, name: str = "") -> str:
        """Return a text as the classifiers read it, on one line, without personal data; `name` is the customer's."""
        plain = normalise(text)
        end, parts = 0, []
        for start, stop, kind in self._spans(plain, name):
            parts += [plain[end:start], f"[{kind}]"]
            end = stop
        return mask("".join(parts) + plain[end:])

    def kinds(self, text: str) -> list[str]:
        """Return the kinds of personal data that are left in a text."""
        return sorted({kind for _, _, kind in self._spans(normalise(text), "")})

    def _spans(self, text: str, name: str) -> list[tuple[int, int, str]]:
        """Return start, end and kind of what is found, from left to right, of what overlaps the first and longest."""
        kept: list[tuple[int, int, str]] = []
        for span in sorted(self._found(text, name), key=lambda span: (span[0], -span[1])):
            if not kept or span[0] >= kept[-1][1]:
                kept.append(span)
        return [span for span in kept if span[2] != _HARMLESS]

    def _found(self, text: str, name: str) -> Iterator[tuple[int, int, str]]:
        # What stands for something that was taken out is no finding of its own.
        shown = _PLACEHOLDER.sub(lambda match: " " * len(match[0]), text)
        for entity in self._entities.find(shown, _ANY_DAY):
            kind = entity.kind if entity.kind in IDENTIFYING else _HARMLESS
            if kind in IDENTIFYING or entity.kind in _NUMBERS:
                yield entity.start, entity.end, kind
        for piece in self._personal.find(shown):
            yield piece.start, piece.end, piece.kind
        for match in _LONG_NUMBER.finditer(shown):
            yield match.start(), match.end(), "number"
        for part in {name, *name.split()}:
            if len(part) >= _LEAST_NAME:
                for match in re.finditer(rf"(?<!\w){re.escape(part)}(?!\w)", shown, _case(part, name)):
                    yield match.start(), match.end(), "name"


def _case(part: str, name: str) -> re.RegexFlag:
    # A whole name is one however it is written; a part of it, such as Will or May, may be a word.
    return re.IGNORECASE if part == name and " " in name else re.NOFLAG
