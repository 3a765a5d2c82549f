"""Find kinds of personal data by Presidio's recognisers: patterns with checksums, United Kingdom and European formats.

What Presidio does not know (French and Dutch identity numbers, VAT and IP addresses) is in `bot.nlu.numbers`. E-mail
addresses and phone numbers are entities already (`bot.nlu.entities`). Presidio's own e-mail recogniser is not used: it
asks the network for a list of suffixes.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bot.nlu.numbers import FORMATS
from bot.nlu.slim_imports import slim_imports

_ENTITY_KINDS = frozenset({"email", "phone"})

_RECOGNISERS = {
    "credit_card": "CreditCardRecognizer",
    "iban": "IbanRecognizer",
    "ni_number": "UkNinoRecognizer",
    "driving_licence": "UkDrivingLicenceRecognizer",
    "postcode": "UkPostcodeRecognizer",
    "nhs_number": "NhsRecognizer",
    "passport": "UkPassportRecognizer",
    "es_nif": "EsNifRecognizer",
    "es_nie": "EsNieRecognizer",
    "it_fiscal_code": "ItFiscalCodeRecognizer",
    "fi_identity_code": "FiPersonalIdentityCodeRecognizer",
    "pl_pesel": "PlPeselRecognizer",
    "se_personnummer": "SePersonnummerRecognizer",
    "de_tax_id": "DeTaxIdRecognizer",
    "de_social_security": "DeSocialSecurityRecognizer",
}
_MONTHS = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = (
    r"\b\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)?\d{2}\b|\b(?:19|20)\d{2}-\d{2}-\d{2}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTHS}\s+(?:19|20)\d{{2}}\b"
)
_OWN = {
    "bank_account": (r"\b\d{2}[- ]\d{2}[- ]\d{2}\b|\b\d{8}\b", ("sort code", "account number", "account no", "bank")),
    "date_of_birth": (_DATE, ("dob", "date of birth", "born", "birthday")),
}
_NEEDS_CONTEXT = frozenset(
    {"nhs_number", "passport", "pl_pesel", "se_personnummer", "de_tax_id", "de_social_security", *_OWN}
)
"""Formats that other numbers share, so that they count only beside a word that names them."""

_NEEDS_CHECK = frozenset({"it_fiscal_code"})
"""Kinds of which Presidio gives those with a wrong check letter as well, only with a lower score."""
_CHECKED = 1.0

_EXTRA_CONTEXT = {"nhs_number": ("nhs",)}


@dataclass(frozen=True)
class PersonalData:
    """A piece of personal data, as character offsets."""

    kind: str
    start: int
    end: int


class PersonalDataFinder:
    """Finds pieces of personal data that have a format. Loading it imports Presidio, once for a process."""

    def __init__(self) -> None:
        self._recognisers = _load()

    def find(self, text: str) -> tuple[PersonalData, ...]:
        """Return the pieces found, from left to right."""
        if not any(letter.isdigit() for letter in text):
            return ()
        lower = text.lower()
        found = []
        for kind, recogniser, context in self._recognisers:
            if kind in _NEEDS_CONTEXT and not _names(context).search(lower):
                continue
            for result in recogniser.analyze(text, recogniser.supported_entities):
                if kind in _NEEDS_CHECK and result.score < _CHECKED:
                    continue
                found.append(PersonalData(kind, result.start, result.end))
        for number in FORMATS:
            if not number.words or _names(number.words).search(lower):
                found += [PersonalData(number.kind, start, end) for start, end in number.find(text)]
        return tuple(sorted(set(found), key=lambda piece: (piece.start, piece.end, piece.kind)))

    def kinds(self, text: str, entities: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the kinds of personal data in a text; `entities` are the kinds of entities found in it."""
        found = {piece.kind for piece in self.find(text)} | (_ENTITY_KINDS & set(entities))
        return tuple(sorted(found))


@lru_cache
def _names(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds a word that begins with one of `words`."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})")


@lru_cache(maxsize=1)
def _load() -> tuple[tuple[str, Any, tuple[str, ...]], ...]:
    with slim_imports():
        from presidio_analyzer import Pattern, PatternRecognizer, predefined_recognizers

    loaded: list[tuple[str, Any, tuple[str, ...]]] = []
    for kind, name in _RECOGNISERS.items():
        recogniser = getattr(predefined_recognizers, name)()
        context = (*(word.lower() for word in recogniser.context or ()), *_EXTRA_CONTEXT.get(kind, ()))
        loaded.append((kind, recogniser, context))
    for kind, (pattern, words) in _OWN.items():
        patterns = [Pattern(kind, pattern, 0.5)]
        loaded.append((kind, PatternRecognizer(kind.upper(), patterns=patterns), words))
    return tuple(loaded)
