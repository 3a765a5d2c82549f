"""Find amounts of money: `£12.50`, `20 quid`, `EUR 1,200`, `50p`, `a tenner`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

_NUMBER = r"(?:\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?|(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:[.,]\d{1,2})?)(?![\d,.]*\d)"
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_SMALL = {word: value for value, word in enumerate(f"{_UNITS} seventeen eighteen nineteen".split())}
_TENS = {
    word: value
    for value, word in zip(
        range(20, 100, 10), ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], strict=False
    )
}
_BIG = {"hundred": 100, "thousand": 1000, "grand": 1000}


class Currency(BaseModel):
    """How people write a currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    """Words for a hundredth."""
    notes: Mapping[str, int] = {}
    """Words that are an amount by themselves."""


@dataclass(frozen=True)
class Amount:
    """An amount and where it stands; written as `GBP 12.50`."""

    start: int
    end: int
    currency: str
    number: Decimal

    @property
    def value(self) -> str:
        """The normalised text."""
        return f"{self.currency} {self.number:.2f}"


class Amounts:
    """Finds the amounts of some currencies, keyed by their ISO 4217 code."""

    def __init__(self, currencies: Mapping[str, Currency]) -> None:
        self._patterns = [
            (code, part, pattern) for code, known in currencies.items() for part, pattern in _patterns(code, known)
        ]
        self._notes = {word: (code, value) for code, known in currencies.items() for word, value in known.notes.items()}
        note = rf"(?:a |an |(?P<digits>\d+) |(?P<spoken>{'|'.join(_SMALL)}) )?(?P<note>{_any(self._notes)})s?"
        self._notes_pattern = re.compile(rf"\b{note}\b") if self._notes else None

    def find(self, text: str) -> Iterator[Amount]:
        """Return the amounts of a text; they may overlap, the longest is meant."""
        lower = text.lower()
        for code, part, pattern in self._patterns:
            for match in pattern.finditer(lower):
                number = _number(match)
                if number is not None:
                    yield Amount(match.start(), match.end(), code, number / 100 if part else number)
        if self._notes_pattern:
            for match in self._notes_pattern.finditer(lower):
                code, value = self._notes[match["note"]]
                yield Amount(match.start(), match.end(), code, value * (_number(match) or Decimal(1)))


def _patterns(code: str, known: Currency) -> Iterator[tuple[bool, re.Pattern[str]]]:
    digits = rf"(?P<digits>{_NUMBER})(?P<thousands>\s?k\b)?"
    signs = _any([*known.signs, code.lower()])
    names = _any([*known.words, code.lower()])
    yield False, re.compile(rf"(?<!\w)(?:{signs})\s?{digits}(?![\w%])")
    yield False, re.compile(rf"(?<![\w.,-]){digits}\s?(?:{_any([*known.signs, *known.words, code.lower()])})(?!\w)")
    yield False, re.compile(rf"(?<![\w.,-])(?P<digits>\d+)\s?(?:{names})\s(?:and\s)?(?P<rest>\d\d)(?!\w)")
    word = "|".join([*_SMALL, *_TENS, *_BIG])
    spoken = rf"(?P<spoken>(?:a |an |(?:{word})[ -])(?:(?:{word}|and)[ -])*?)"
    yield False, re.compile(rf"(?<!\w){spoken}(?:{names})(?!\w)")
    if known.small:
        yield True, re.compile(rf"(?<!\w){spoken}(?:{_any(known.small)})(?!\w)")
        yield True, re.compile(rf"(?<![\w.,-])(?P<digits>\d{{1,4}})\s?(?:{_any(known.small)})(?!\w)")


def _any(words: object) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))  # type: ignore[call-overload]


def _number(match: re.Match[str]) -> Decimal | None:
    found = match.groupdict()
    if found.get("digits"):
        digits = found["digits"].replace(" ", "")
        if re.search(r",\d{1,2}$|\.\d{3}$", digits):  # 12,50 and 1.200 as in most of Europe
            digits = digits.replace(".", "").replace(",", ".")
        number = Decimal(digits.replace(",", "")) + Decimal(found.get("rest") or 0) / 100
        return number * 1000 if found.get("thousands") else number
    words = re.findall(r"[a-z]+", found.get("spoken") or "")
    if words in (["a"], ["an"]):
        return None  # "a pound of apples", "a quid" are rarely an amount that matters
    total, part = 0, 0
    for word in words:
        if word in _BIG:
            part = max(part, 1) * _BIG[word]
            if _BIG[word] == 1000:
                total, part = total + part, 0
        else:
            part += _SMALL.get(word, _TENS.get(word, 0))
    return Decimal(total + part) if total + part else None
