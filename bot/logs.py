"""Logging: one line an event, with ids as fields, and without secrets and what customers said.

Messages read `name key=value …`. What is masked, whoever logged it: the secrets among the settings, passwords in
addresses, bot tokens, e-mail addresses, long numbers, and quoted text long enough to be somebody's words.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from pydantic import BaseModel, SecretStr

from bot.settings import Settings

MASK = "***"
QUOTED_CHARS = 40
"""Quoted text from this length on is taken for somebody's words; names, keys and settings are shorter."""

_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s@/]+@")
_BOT_TOKEN = re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}")
_API_TOKEN = re.compile(r"\bfd_[A-Za-z0-9_-]{8,}")
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s'\"]+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w.-])\+?\d(?:[ -]?\d){11,18}(?![\w.-])")
_INPUT = re.compile(r"(input_value=).*?(?=, input_type=|$)", re.DOTALL)
_PARAMETERS = re.compile(r"\[parameters: .*?\](?=\n|$)", re.DOTALL)
_DETAIL = re.compile(r"^(DETAIL|CONTEXT):.*$", re.MULTILINE)
_QUOTED = re.compile(rf"(?<!File )(?:'[^'\n]{{{QUOTED_CHARS},}}'|\"[^\"\n]{{{QUOTED_CHARS},}}\")")
_FIELD = re.compile(r"(?:^|\s)([a-z_]+)=(\S+)")

TALKATIVE = (
    "httpx",
    "httpcore",
    "telegram",
    "apscheduler",
    "aiohttp",
    "asyncio",
    "alembic",
    "urllib3",
    "matplotlib",
    "presidio-analyzer",
    "uvicorn",
)
"""Libraries whose ordinary messages say nothing of ours, or too much: they tell warnings only."""


class Redactor:
    """Masks secrets and people's words in text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return the text without what must not be logged."""
        if self._known:
            text = self._known.sub(MASK, text)
        text = _PASSWORD.sub(rf"\1:{MASK}@", text)
        text = _BOT_TOKEN.sub(MASK, text)
        text = _API_TOKEN.sub(MASK, text)
        text = _BEARER.sub(f"Bearer {MASK}", text)
        text = _INPUT.sub(rf"\1{MASK}", text)
        text = _PARAMETERS.sub(f"[parameters: {MASK}]", text)
        text = _DETAIL.sub(rf"\1: {MASK}", text)
        text = _EMAIL.sub(MASK, text)
        text = _NUMBER.sub(MASK, text)
        return _QUOTED.sub(lambda found: f"'{MASK} ({len(found.group(0)) - 2} characters)'", text)


class TextFormatter(logging.Formatter):
    """A line for people; a traceback follows on lines of its own."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = f"{_time(record)} {record.levelname} {record.name} {_message(record)}"
        return self._redact(line + ("\n" + error if (error := _error(record)) else ""))


class JsonFormatter(logging.Formatter):
    """A JSON object a line, for machines that collect logs; the fields of a message are keys of their own."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        message = _message(record)
        entry = {key: self._redact(value) for key, value in _FIELD.findall(message)}
        entry |= {"at": _time(record), "level": record.levelname, "logger": record.name}
        entry["message"] = self._redact(message)
        if error := _error(record):
            entry["error"] = self._redact(error)
        return json.dumps(entry, ensure_ascii=False)


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to one stream (default: standard error)."""
    redact = Redactor(secrets_of(settings))
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if settings.log.form == "json" else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def secrets_of(section: BaseModel) -> list[str]:
    """Return the values that must not be seen."""
    found = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found += secrets_of(value)
    return found


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage().replace("\n", " ⏎ ")
    except (TypeError, ValueError):
        return str(record.msg)


def _error(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1])).rstrip()
