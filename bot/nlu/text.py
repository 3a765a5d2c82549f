"""What is done to a text before the encoder reads it."""

import html
import re
import unicodedata

MAX_CHARS = 2_000
"""The part of a text that is read; the encoder sees some 250 words."""

_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b(?:t\.co|bit\.ly|pic\.twitter\.com)/\S+", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HANDLE = re.compile(r"(?<![\w.])@\w{2,}")
_HASHTAG = re.compile(r"(?<!\w)#(?=\w*[^\W\d])")
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_SPACE = re.compile(r"\s+")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})

LINK = "link"
HANDLE = "@user"
EMAIL = "email"


def normalise(text: str) -> str:
    """Return the text in one Unicode form, on one line, with HTML entities and typographic quotes made plain."""
    text = unicodedata.normalize("NFC", html.unescape(text[:MAX_CHARS])).translate(_PLAIN)
    return _SPACE.sub(" ", _INVISIBLE.sub(" ", text)).strip()


def mask(text: str) -> str:
    """Replace what misleads a classifier: links, handles, e-mail addresses, the sign of hashtags.

    Source: measured on the complaint tweets; names of companies in handles were taken for complaints.
    """
    text = _HANDLE.sub(HANDLE, _EMAIL.sub(EMAIL, _LINK.sub(LINK, text)))
    return _REPEATED.sub(r"\1\1\1", _HASHTAG.sub("", text))


def prepare(text: str) -> str:
    """Return what the encoder is given for a text; the same for texts that differ only in what is masked."""
    return mask(normalise(text))
