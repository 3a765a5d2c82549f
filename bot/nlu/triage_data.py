"""Read the labelled sentences that the triage heads are trained on: `nlu_data/triage/*.yml`, one topic a file.

A file holds `topic`, `defaults` and `messages`; a message holds `text` and whatever labels differ from the defaults:

    topic: complaints in retail
    defaults: {complaint: true, severity: disapproval, sentiment: negative}
    messages:
    - {text: "left boot in both boxes", severity: accusation, category: product, remedy: replacement}
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Category, Remedy, Sentiment, Severity, Urgency
from bot.yaml_loader import read_yaml


def _as_tuple(value: Any) -> Any:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


class Example(BaseModel):
    """One labelled sentence. `category` is left empty where it is not known or there is no complaint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    complaint: bool
    severity: Severity
    sentiment: Sentiment
    category: Annotated[tuple[Category, ...], BeforeValidator(_as_tuple)] = ()
    remedy: Annotated[tuple[Remedy, ...], BeforeValidator(_as_tuple)] = ()
    urgency: Annotated[tuple[Urgency, ...], BeforeValidator(_as_tuple)] = ()


def read_examples(folder: Path) -> list[Example]:
    """Return the sentences of all files of a folder, by file name.

    Raises:
        ConfigError: there are none, or one is not as it should be; the text says where.
    """
    examples = [example for file in _files(folder) for example in _read(file)]
    if not examples:
        raise ConfigError(f"{folder} holds no labelled sentences")
    return examples


def data_digest(folder: Path) -> str:
    """Return what changes whenever a file of the folder does."""
    total = hashlib.sha256()
    for file in _files(folder):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.yml"))


def _read(file: Path) -> Iterable[Example]:
    try:
        found = read_yaml(file.read_text(encoding="utf-8"))
        defaults, messages = found.get("defaults") or {}, found["messages"]
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
    for number, message in enumerate(messages or [], start=1):
        try:
            yield Example.model_validate({**defaults, **message})
        except (ValidationError, TypeError) as error:
            what = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            place = ".".join(str(part) for part in what["loc"])
            raise ConfigError(f"{file}, message {number}: {place}: {what['msg']}") from error
