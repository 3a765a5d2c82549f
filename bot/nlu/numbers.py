"""Numbers that name a person or a business and that Presidio does not know: their formats and check digits. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

_SEPARATORS = re.compile(r"[ .\-]")


@dataclass(frozen=True, slots=True)
class Format:
    """How a kind of number looks. `check` takes it in capitals and, if `bare`, without what separates its digits.

    With `words`, it counts only where a word of the text begins with one of them.
    """

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    words: tuple[str, ...] = ()
    bare: bool = True

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each number of this kind."""
        for match in self.pattern.finditer(text):
            number = _SEPARATORS.sub("", match[0]) if self.bare else match[0]
            if self.check(number.upper()):
                yield match.span()


def is_nir(number: str) -> bool:
    """Check a French social security number: 97 less the remainder of the first 13 digits. Source: INSEE."""
    digits = number.replace("2A", "19").replace("2B", "18")
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def is_bsn(number: str) -> bool:
    """Check a Dutch citizen service number by its eleven test. Source: Rijksoverheid."""
    return int(number) > 0 and _weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def is_vat(number: str) -> bool:
    """Check a VAT number by the check digits of its country, where they are public. Source: EU, VIES."""
    check = _VAT_CHECKS.get(number[:2])
    return check is None or check(number[2:])


def is_ip(text: str) -> bool:
    """Check an IP address, version 4 or 6."""
    try:
        return ip_address(text) is not None
    except ValueError:
        return False


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _german(number: str) -> bool:
    product = 10
    for digit in number[:8]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(number[8])


def _french(number: str) -> bool:
    # A key with letters, of newer numbers, has no public rule.
    return not number[:2].isdigit() or int(number[:2]) == (12 + 3 * (int(number[2:]) % 97)) % 97


def _british(number: str) -> bool:
    total = _weighted(number[:7], (8, 7, 6, 5, 4, 3, 2)) + int(number[7:9])
    return total % 97 == 0 or (total + 55) % 97 == 0


def _italian(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(number)]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _belgian(number: str) -> bool:
    return 97 - int(number[:8]) % 97 == int(number[8:])


def _polish(number: str) -> bool:
    return _weighted(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(number[9])


_VAT_CHECKS = {
    "DE": _german,
    "FR": _french,
    "GB": _british,
    "IT": _italian,
    "BE": _belgian,
    "PL": _polish,
}
_VAT = (
    "ATU[0-9]{8}|BE[01][0-9]{9}|DE[0-9]{9}|DK[0-9]{8}|ES[A-Z0-9][0-9]{7}[A-Z0-9]|FI[0-9]{8}|FR[0-9A-Z]{2}[0-9]{9}"
    "|GB[0-9]{9}|IE[0-9][A-Z0-9+*][0-9]{5}[A-Z]{1,2}|IT[0-9]{11}|LU[0-9]{8}|NL[0-9]{9}B[0-9]{2}|PL[0-9]{10}|PT[0-9]{9}"
    "|SE[0-9]{12}|(?:CZ[0-9]{8,10}|EE[0-9]{9}|EL[0-9]{9}|HU[0-9]{8}|SI[0-9]{8}|SK[0-9]{10})"
)


def _spaced(pattern: str) -> re.Pattern[str]:
    """Return a pattern that may have a space, a dot or a hyphen before each digit or letter but the first."""
    atoms = r"\[[^\]]+\](?:\{\d+(?:,\d+)?\})?|[A-Z]"

    def loosen(match: re.Match[str]) -> str:
        atom, brace, count = match[0].partition("{")
        return f"(?:[ .-]?{atom}){brace}{count}"

    return re.compile(rf"(?<![\w.-])(?:{re.sub(atoms, loosen, pattern)})(?![\w-])", re.IGNORECASE)


FORMATS = (
    Format("fr_nir", _spaced("[12][0-9]{2}[0-9]{2}[0-9][0-9AB][0-9]{8}"), is_nir),
    Format("nl_bsn", _spaced("[0-9]{9}"), is_bsn, ("bsn", "burgerservicenummer", "sofinummer")),
    Format(
        "vat_number",
        _spaced(_VAT),
        is_vat,
        ("vat", "tva", "ust-id", "ustid", "umsatzsteuer", "iva", "btw", "mwst", "moms"),
    ),
    Format(
        "ip_address",
        re.compile(
            r"(?<![\w.:])(?<!version )(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:]|\.\d)",
            re.I,
        ),
        is_ip,
        bare=False,
    ),
)
