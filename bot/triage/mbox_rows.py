"""Rows of mbox files: one mail after the other, of each what its sender wrote."""

import email.utils
import re
from collections.abc import Iterator
from datetime import UTC
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from typing import BinaryIO

from bot.conversation.errors import BadInput
from bot.triage.html_text import html_text
from bot.triage.lines import decode
from bot.triage.replies import own_words
from bot.triage.rows import BadRow, Row

MAX_MAIL_BYTES = 4_000_000
"""What is read of one mail; the text comes before what is attached."""
MAX_LINE_BYTES = 1_000_000

_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_REPLY = re.compile(r"^\s*(?:re|aw|sv|antw|antwort|rif|r)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
"""Marks of a reply in English, German, Scandinavian, Dutch and Italian mail programs."""


class MboxRows:
    """A mailbox in one file."""

    columns = ("message_id", "date", "from", "subject", "text")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the mails.

        Raises:
            BadInput: there is something in the file, but no mail.
        """
        for number, raw in enumerate(_mails(self._file), start=1):
            try:
                row = _row(number, raw)
            except (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
                # What the standard library's parser raises at mails that no standard knows.
                row = BadRow(number, f"the mail can't be read ({type(error).__name__})")
            yield row


def _mails(file: BinaryIO) -> Iterator[bytes]:
    """Yield each mail, without its first line; a mail begins at `From ` after a blank line."""
    mail: bytearray | None = None
    blank, whole, empty = True, True, True
    while line := file.readline(MAX_LINE_BYTES):
        if whole and blank and line.startswith(b"From "):
            if mail is not None:
                yield bytes(mail)
            mail = bytearray()
        elif mail is not None and len(mail) < MAX_MAIL_BYTES:
            mail += line
        empty = empty and not line.strip()
        blank, whole = whole and line in (b"\n", b"\r\n"), line.endswith(b"\n")
    if mail is not None:
        yield bytes(mail)
    elif not empty:
        raise BadInput("there is no mail in it: in an mbox file, each begins with a line `From …`")


def _row(number: int, raw: bytes) -> Row | BadRow:
    mail = message_from_bytes(_ESCAPED.sub(rb"\1", raw))
    subject = _header(mail, "subject")
    body = own_words(_body(mail))
    # The subject of a reply is somebody else's, or was said before.
    told = [] if body and (_REPLY.match(subject) or mail["in-reply-to"]) else [subject]
    text = "\n\n".join(part for part in (*told, body) if part)
    if not text:
        return BadRow(number, "the mail has no text")
    own = {
        "message_id": _header(mail, "message-id"),
        "date": _date(mail),
        "from": _header(mail, "from"),
        "subject": subject,
        "text": text,
    }
    return Row(number, text, own)


def _body(mail: Message) -> str:
    """Return the first plain text that is no attachment, else the first HTML as text."""
    parts = [part for part in mail.walk() if not part.is_multipart() and part.get_content_disposition() != "attachment"]
    for kind, read in (("text/plain", str), ("text/html", html_text)):
        for part in parts:
            if part.get_content_type() == kind:
                text = read(_content(part)).strip()
                if text:
                    return text
    return ""


def _content(part: Message) -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    try:
        return raw.decode(str(part.get_content_charset() or "ascii"))
    except (LookupError, ValueError):
        return decode(raw)


def _header(mail: Message, name: str) -> str:
    """Return a header's words in one line, decoded as far as that goes."""
    # Letters outside ASCII that the sender did not encode are the bytes as they came; `mail.get` would lose them.
    value = next((told for key, told in mail.raw_items() if key.lower() == name), "")
    value = decode(value.encode("ascii", "surrogateescape"))
    parts = []
    try:
        for raw, charset in decode_header(value):
            parts.append(_decoded(raw, charset))
    except (MessageError, ValueError):
        parts = [value]
    return " ".join("".join(parts).split())


def _decoded(raw: bytes | str, charset: str | None) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode(charset or "raw-unicode-escape")  # in which `decode_header` gives what was not encoded
    except (LookupError, ValueError):
        return decode(raw)


def _date(mail: Message) -> str:
    try:
        date = email.utils.parsedate_to_datetime(str(mail["date"]))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
