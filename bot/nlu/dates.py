"""Find days: `3 nov`, `12/05/2026`, `last tuesday`, `two weeks ago`, `christmas eve`. The day comes before the month.

A month, a year, a time or a length of time is no day.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_NUMBERS = {
    word: value
    for value, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=1
    )
} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2}

_MONTH = r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
_MONTH += r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?:\.(?=\s?\d))?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?(?![\d/])"
_WEEKDAY = (
    r"(?P<weekday>mon(?:day)?|tues?(?:day)?|wed(?:nesday|s)?|thur?s?(?:day)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
)
_LONG_WEEKDAY = r"(?P<weekday>monday|tuesday|tues|wednesday|weds|thursday|thurs|friday|saturday|sunday)"
_BEFORE_A_DAY = r"(?:on|by|for|from|since|till|til|until|before|after|due|dated|booked|ordered|bought|paid|sent)"
_COUNT = rf"(?P<count>\d{{1,3}}|a couple of|couple of|{'|'.join(word for word in _NUMBERS if ' ' not in word)})"
_NOT_THE_DAY = r"(?!\s+(?:time|party|attempt|order|one|item|parcel|floor|email|call|birthday|of\s+the\s+month|century))"

_NEAR = {
    "day before yesterday": -2,
    **dict.fromkeys(["yesterday", "yesterdy", "yday", "yest"], -1),
    **dict.fromkeys(["today", "2day"], 0),
    **dict.fromkeys(["tomorrow", "tommorow", "tomorow", "tommorrow", "tomoro", "2moro", "2morrow", "tmrw", "tomoz"], 1),
    "day after tomorrow": 2,
}

_PATTERNS = [
    ("iso", re.compile(r"(?<![\d/.-])(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?![\d/-])")),
    (
        "numbers",
        re.compile(
            rf"(?:\b{_WEEKDAY},?\s+)?(?<![\d/.-])(?P<day>\d{{1,2}})[/.-](?P<month>\d{{1,2}})[/.-](?P<year>\d{{4}}|\d{{2}})(?![\d/-])"
        ),
    ),
    (
        "numbers",
        re.compile(
            rf"(?:\b{_WEEKDAY},?\s+)?(?<![\d/.£$€-])(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})(?![\d/]|\s+of\b)(?<!24/7)"
        ),
    ),
    ("named", re.compile(rf"\b(?:{_WEEKDAY},?\s+(?:the\s+)?)?{_DAY}\s+(?:of\s+)?{_MONTH}(?!\w){_YEAR}")),
    ("named", re.compile(rf"\b(?:{_WEEKDAY},?\s+)?{_MONTH}\s+(?:the\s+)?{_DAY}(?![\w:]|\s?(?:%|am\b|pm\b)){_YEAR}")),
    ("day", re.compile(rf"\b(?:{_LONG_WEEKDAY}\s+)?the\s+(?P<span>(?P<day>\d{{1,2}})(?:st|nd|rd|th))\b{_NOT_THE_DAY}")),
    ("day", re.compile(rf"\b{_WEEKDAY}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)\b{_NOT_THE_DAY}")),
    ("day", re.compile(rf"\b{_BEFORE_A_DAY}\s+(?P<span>(?P<day>\d{{1,2}})(?:st|nd|rd|th))\b{_NOT_THE_DAY}")),
    ("ago", re.compile(rf"\b{_COUNT}\s+(?P<unit>day|week|fortnight|month)s?\s+(?:ago|back)\b")),
    ("ahead", re.compile(rf"\bin\s+(?P<span>{_COUNT}\s+(?P<unit>day|week|fortnight)s?)(?:'|\b)\s?(?:time\b)")),
    ("near", re.compile(rf"\b(?P<near>{'|'.join(sorted(_NEAR, key=len, reverse=True))})\b")),
    (
        "weekday",
        re.compile(
            rf"(?<!\bevery )(?<!\beach )\b(?:(?P<which>last|next|this|coming)\s+)?{_LONG_WEEKDAY}\b"
            r"(?:(?P<gone>\s+(?:just\s+)?gone\b)|(?P<week>\s+(?:last\s+)?week\b))?"
        ),
    ),
]
_DAYS_IN = {"day": 1, "week": 7, "fortnight": 14}
_AHEAD = re.compile(
    r"\b(?:will|can|could|would|please|want|book|arrange|going to|when|if|by|until|before|possible|for)\b"
)
_PAST = re.compile(r"\b(?:paid|bought|ordered|came|arrived|was|were|got|since|sent|returned|took|charged|had|did)\b")
_MAYBE_A_SHARE = re.compile(r"[1-9]/(?:[234]|10)|10/10")
_DAY_BEFORE = re.compile(rf"\b{_BEFORE_A_DAY}\s(?:the\s)?$")


@dataclass(frozen=True)
class Day:
    """A day and where it stands; `day` is none where the words name no real one."""

    start: int
    end: int
    day: date | None


class Dates:
    """Finds days. `named` holds days with a name of their own, as `month-day`."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = {name.lower(): tuple(int(part) for part in day.split("-")) for name, day in named.items()}
        names = "|".join(re.escape(name) for name in sorted(self._named, key=len, reverse=True))
        self._named_pattern = re.compile(rf"\b({names})\b") if names else None

    def find(self, text: str, today: date) -> Iterator[Day]:
        """Return the days of a text; they may overlap, the longest is meant."""
        lower = text.lower().replace("’", "'")
        for kind, pattern in _PATTERNS:
            for match in pattern.finditer(lower):
                start, end = match.span("span" if "span" in match.groupdict() else 0)
                try:
                    day = _resolve(kind, match, lower, today)
                except (ValueError, OverflowError):
                    continue
                yield Day(start, end, day)
        if self._named_pattern:
            for match in self._named_pattern.finditer(lower):
                month, day_of_month = self._named[match[1]]
                yield Day(match.start(), match.end(), _closest(today, month, day_of_month))


def _resolve(kind: str, match: re.Match[str], text: str, today: date) -> date | None:
    """Return the day that a match means.

    Raises:
        ValueError: there is no such day.
    """
    found = match.groupdict()
    if kind in ("iso", "numbers", "named"):
        month = int(found["month"]) if found["month"].isdigit() else _index(_MONTHS, found["month"]) + 1
        day = int(found["day"])
        if kind == "numbers" and _is_a_share(match[0], text, match.start()):
            raise ValueError("a share or a mark")
        if found.get("year"):
            year = int(found["year"])
            if kind == "numbers" and month > 12:  # as in America, where it can't be meant otherwise
                month, day = day, month
            return date(year + 2000 if year < 100 else year, month, day)
        return _closest(today, month, day, _looks_back(text[: match.start()], text[match.end() :]))
    if kind == "day":
        return _closest_of_month(today, int(found["day"]), past=bool(_PAST.search(text[: match.start()])))
    if kind in ("ago", "ahead"):
        count = int(found["count"]) if found["count"].isdigit() else _NUMBERS[found["count"]]
        if found["unit"] == "month":
            return None  # which day is meant nobody can tell
        days = count * _DAYS_IN[found["unit"]]
        return today + timedelta(days=-days if kind == "ago" else days)
    if kind == "near":
        return today + timedelta(days=_NEAR[found["near"]])
    which = "last" if found["gone"] else found["which"] or ""
    return _weekday(_index(_DAYS, found["weekday"]), which, text[: match.start()], text[match.end() :], today)


def _weekday(number: int, which: str, before: str, after: str, today: date) -> date:
    """Return the weekday that is meant: the last one, unless the words around it look ahead.

    The closest cue before it counts, then those after it.
    """
    ahead = (number - today.weekday()) % 7
    if which == "last":
        return today - timedelta(days=(today.weekday() - number) % 7 or 7)
    if which == "next":
        return today + timedelta(days=ahead or 7)
    if which or _looks_ahead(before, after):
        return today + timedelta(days=ahead)
    return today - timedelta(days=(today.weekday() - number) % 7)


def _is_a_share(written: str, text: str, start: int) -> bool:
    """Say whether `3/4` or `9/10` is more likely no day: it is one by itself, or after a word such as `on`."""
    alone = written == text.strip()
    return bool(_MAYBE_A_SHARE.fullmatch(written)) and not alone and not _DAY_BEFORE.search(text[:start])


def _looks_ahead(before: str, after: str) -> bool:
    ahead, past = (max((cue.end() for cue in each.finditer(before)), default=0) for each in (_AHEAD, _PAST))
    return ahead > past if ahead or past else bool(_AHEAD.search(after)) and not _PAST.search(after)


def _looks_back(before: str, after: str) -> bool:
    return bool(_PAST.search(before)) and not _looks_ahead(before, after)


def _closest(today: date, month: int, day: int, past: bool = False) -> date:
    """Return the closest such day; of what is past, a day to come is meant only if it is a third as far away."""
    candidates = []
    for year in (today.year - 1, today.year, today.year + 1):
        try:
            candidates.append(date(year, month, day))
        except ValueError:
            continue
    return min(candidates, key=lambda candidate: abs(candidate - today) * (3 if past and candidate > today else 1))


def _closest_of_month(today: date, day: int, past: bool) -> date:
    candidates = []
    for months in (-1, 0, 1):
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        try:
            candidates.append(date(year, month + 1, day))
        except ValueError:
            continue
    usable = [candidate for candidate in candidates if candidate <= today] if past else candidates
    return min(usable, key=lambda candidate: abs(candidate - today))


def _index(names: list[str], start: str) -> int:
    return next(place for place, name in enumerate(names) if name.startswith(start[:3]))
