"""What the sender of a mail wrote, without what the mail quotes and without the signature."""

import re

_QUOTED = re.compile(r"^\s*>")
_INTRODUCTION = re.compile(
    r"^\s*(?:on|am|le|el|il|op|den|em)\b.{4,300}\b"
    r"(?:(?:wrote|a écrit|escribió|ha scritto|skrev|escreveu)\s*|(?:schrieb|schreef)\b.{0,120}):\s*$",
    re.IGNORECASE | re.DOTALL,
)
"""The line before a quotation, in English, German, French, Spanish, Italian, Dutch, Scandinavian and Portuguese."""
_ORIGINAL = re.compile(
    r"^\s*(?:-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original"
    r"|messaggio originale|oorspronkelijk bericht)\s*-{2,}|begin forwarded message:|_{20,})\s*$",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"^--\s?$")
_LONGEST = 3
"""Lines over which an introduction may be broken."""


def own_words(text: str) -> str:
    """Return the text above and between quotations; all of it if nothing else is left."""
    lines = text.splitlines()
    kept: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if _ORIGINAL.match(line) or _SIGNATURE.match(line):
            break
        length = _introduction(lines, place)
        if length:
            following = next((each for each in lines[place + length :] if each.strip()), "")
            if _QUOTED.match(following):
                place += length
                continue
            if any(map(str.isdigit, "".join(lines[place : place + length]))):
                break  # a program that does not mark what it quotes; with the day, for people write so, too
        if not _QUOTED.match(line):
            kept.append(line)
        place += 1
    return "\n".join(kept).strip() or text.strip()


def _introduction(lines: list[str], place: int) -> int:
    """Return over how many lines an introduction goes that begins here; 0 if none does."""
    for length in range(1, _LONGEST + 1):
        if _INTRODUCTION.match("\n".join(lines[place : place + length])):
            return length
    return 0
