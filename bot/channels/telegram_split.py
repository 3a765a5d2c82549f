"""Long texts as several Telegram messages."""

import re

MAX_UNITS = 4096
"""The longest message, in UTF-16 code units.  Source: Bot API, sendMessage, and Telegram's notes on entity lengths."""

_SENTENCE_ENDS = re.compile(r"[.!?…؟]+[\"'”’)\]]*(?=\s)|[。！？]|\n")
_SPACES = re.compile(r"\s")


def split(text: str, limit: int = MAX_UNITS) -> list[str]:
    """Return the text as parts of at most `limit` UTF-16 code units, cut after sentences where it can be.

    Nothing gets lost but the blanks at the cuts. There is one part at least.
    """
    parts: list[str] = []
    rest = text.strip()
    while len(head := _head(rest, limit)) < len(rest):
        cut = _last(_SENTENCE_ENDS, rest, head) or _last(_SPACES, rest, head) or len(head)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest or not parts else parts


def _head(text: str, limit: int) -> str:
    """Return as many characters from the beginning as fit; a surrogate pair is one character here."""
    used = 0
    for index, char in enumerate(text[: limit + 1]):
        used += 2 if char > "\uffff" else 1
        if used > limit:
            return text[:index]
    return text


def _last(pattern: re.Pattern[str], text: str, head: str) -> int:
    """Return the end of the last match that leaves a part worth its message, or 0."""
    # The character after the head is looked at, so that a sentence may end right at the limit.
    found = [match.end() for match in pattern.finditer(text, 0, len(head) + 1)]
    return max((end for end in found if len(head) // 4 <= end <= len(head)), default=0)
