"""Find entities by patterns that designers edit in `nlu_data/entities`, one kind a file."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Entity
from bot.nlu.amounts import Amounts, Currency
from bot.nlu.dates import Dates
from bot.nlu.phrases import PhraseBook, tokenizer
from bot.yaml_loader import read_yaml

ORDER = ("email", "phone", "order_number", "amount", "date", "store", "product")
"""Which kind counts where two overlap; kinds that are not named here come last."""

_EMAIL = re.compile(r"[\w.+'-]*\w@\w[\w-]*(?:\.[\w-]+)*\.[^\W\d]{2,}(?![\w-])")
_PHONE_START = re.compile(r"\(?(?:\+|0)(?=(?:\D*\d){9})")
_NEAR_BEFORE, _NEAR_AFTER, _LITTLE_ELSE = 8, 2, 4
_LONG_ENOUGH = 6
"""Letters from which on a misspelt value can't be taken for another word."""
_NOTHING = "\0"
"""The label of phrases that are no entity."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: str


class Format(BaseModel):
    """One way to write an identifier."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str
    value: str
    near: tuple[str, ...] = ()


class FormatsFile(_File):
    """Identifiers such as order numbers."""

    formats: tuple[Format, ...]


class AmountsFile(_File):
    """Money."""

    currencies: Mapping[str, Currency]


class DatesFile(_File):
    """Days."""

    entity: Literal["date"]
    named: Mapping[str, str] = {}


class PhonesFile(_File):
    """Phone numbers."""

    regions: tuple[str, ...]


class ValuesFile(_File):
    """A list of values and the phrases that stand for them; a value stands for itself, too."""

    values: Mapping[str, tuple[str, ...]]
    not_: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    misspelt: bool = False
    """Find single words of six letters or more with a slip of the thumb, too."""


_MODELS: dict[str, type[FormatsFile] | type[AmountsFile] | type[PhonesFile] | type[ValuesFile] | type[DatesFile]] = {
    "formats": FormatsFile,
    "currencies": AmountsFile,
    "regions": PhonesFile,
    "values": ValuesFile,
}


class EntityFinder:
    """Finds entities in texts, by patterns."""

    def __init__(self, folder: Path) -> None:
        """Read the patterns.

        Raises:
            ConfigError: a file is not as it should be; the text says which and where.
        """
        self._finders = [finder for file in sorted(folder.glob("*.yml")) if (finder := _finder(file))]
        if not self._finders:
            raise ConfigError(f"{folder} holds no entity patterns")

    def find(self, text: str, today: date) -> tuple[Entity, ...]:
        """Return the entities of a text, from left to right; of those that overlap, by `ORDER`, then the longest.

        Args:
            text: as the customer wrote it; offsets count in it.
            today: what relative days count from.
        """
        shown = text.replace("’", "'")  # the same length: offsets stay
        found = [Entity(kind="email", value=m[0].lower(), start=m.start(), end=m.end()) for m in _EMAIL.finditer(shown)]
        found += [entity for finder in self._finders for entity in finder(shown, today)]
        rank = {kind: place for place, kind in enumerate(ORDER)}
        found.sort(key=lambda entity: (rank.get(entity.kind, len(rank)), entity.start - entity.end, entity.start))
        kept: list[Entity] = []
        for entity in found:
            if all(entity.end <= other.start or other.end <= entity.start for other in kept):
                kept.append(entity)
        return tuple(sorted(kept, key=lambda entity: entity.start))


def read_patterns(file: Path) -> dict[str, Any]:
    """Return what a file of patterns holds.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        found = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file} does not hold entity patterns")
    return found


def _finder(file: Path) -> Any:
    found = read_patterns(file)
    if "urgency" in found:
        return None
    if "not" in found:
        found["not_"] = found.pop("not")
    model = next((model for key, model in _MODELS.items() if key in found), DatesFile)
    try:
        read = model.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    if isinstance(read, FormatsFile):
        return _formats(read, file)
    if isinstance(read, AmountsFile):
        return _amounts(read)
    if isinstance(read, PhonesFile):
        return _phones(read)
    if isinstance(read, ValuesFile):
        return _values(read)
    return _dates(read)


def _formats(read: FormatsFile, file: Path) -> Any:
    try:
        patterns = [(re.compile(rf"(?<![\w-]){each.pattern}(?!\w)", re.IGNORECASE), each) for each in read.formats]
    except re.error as error:
        raise ConfigError(f"{file}: a pattern is no regular expression: {error}") from error

    def find(text: str, today: date) -> Iterator[Entity]:
        for pattern, each in patterns:
            for match in pattern.finditer(text):
                if not each.near or _is_near(text, match, each.near):
                    value = each.value.format(digits="".join(filter(str.isdigit, match[0])))
                    yield Entity(kind=read.entity, value=value, start=match.start(), end=match.end())

    return find


def _is_near(text: str, match: re.Match[str], words: tuple[str, ...]) -> bool:
    before = re.findall(r"\w+", text[: match.start()].lower())
    after = re.findall(r"\w+", text[match.end() :].lower())
    if len(before) + len(after) <= _LITTLE_ELSE:
        return True
    return bool({*before[-_NEAR_BEFORE:], *after[:_NEAR_AFTER]} & set(words))


def _amounts(read: AmountsFile) -> Any:
    amounts = Amounts(read.currencies)

    def find(text: str, today: date) -> Iterator[Entity]:
        for each in amounts.find(text):
            yield Entity(kind=read.entity, value=each.value, start=each.start, end=each.end)

    return find


def _dates(read: DatesFile) -> Any:
    dates = Dates(read.named)

    def find(text: str, today: date) -> Iterator[Entity]:
        for each in dates.find(text, today):
            value = each.day.isoformat() if each.day else text[each.start : each.end].lower()
            yield Entity(kind=read.entity, value=value, start=each.start, end=each.end)

    return find


def _phones(read: PhonesFile) -> Any:
    import phonenumbers

    def find(text: str, today: date) -> Iterator[Entity]:
        if not _PHONE_START.search(text):
            return  # spares the search for each region
        for region in read.regions:
            for match in phonenumbers.PhoneNumberMatcher(text, region, phonenumbers.Leniency.POSSIBLE):
                if not _PHONE_START.match(match.raw_string):
                    continue  # a number of some other kind that happens to be as long
                value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
                yield Entity(kind=read.entity, value=value, start=match.start, end=match.end)

    return find


def _values(read: ValuesFile) -> Any:
    tokenize = tokenizer()
    phrases = {value: (value, *also) for value, also in read.values.items()}
    if read.misspelt:
        phrases = {value: (*also, *_slips(value.lower())) for value, also in phrases.items()}
    book = PhraseBook(tokenize, {**phrases, _NOTHING: read.not_}, ignored=(_NOTHING,), plurals=True)
    near, unless = _any(read.near), _any(read.unless)
    after = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, read.after))})\s$") if read.after else None

    def find(text: str, today: date) -> Iterator[Entity]:
        lower = text.lower()
        if unless and unless.search(lower):
            return
        everywhere = not near or bool(near.search(lower))
        for each in book.find(tokenize(text)):
            if everywhere or (after and after.search(lower[: each.start])):
                yield Entity(kind=read.entity, value=each.label, start=each.start, end=each.end)

    return find


def _slips(word: str) -> set[str]:
    """Return a word with a letter missing, doubled, or swapped with the next; the first letter is seldom wrong."""
    if len(word) < _LONG_ENOUGH or not word.isalpha():
        return set()
    places = range(1, len(word))
    missing = {word[:place] + word[place + 1 :] for place in places}
    doubled = {word[:place] + word[place - 1 :] for place in places}
    swapped = {word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in places[:-1]}
    return (missing | doubled | swapped) - {word}


def _any(words: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)") if words else None
