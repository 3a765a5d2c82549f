"""Which responses the domain holds, and which of all responses anything ever says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.conversation.errors import BadInput, ConfigError
from bot.learning.documents import Document
from bot.learning.problems import Place

_BOT = Path(__file__).parent.parent
_RESPONSE = re.compile(r"utter_\w+(?:/\w+)?")


@dataclass(frozen=True)
class Domain:
    """`responses` are the domain's own, `named` every response that is named by domain, dialogue or code."""

    responses: Mapping[str, Place]
    named: frozenset[str]


def read_domain(domain: Path, documents: Sequence[Document]) -> Domain:
    """Return what a domain, a file or a folder, says of responses.

    Args:
        domain: the domain; the code of actions is looked for in `actions` beside it.
        documents: the training data, for rules and stories.

    Raises:
        ConfigError: a file can't be read.
    """
    try:
        parts = [Document.read(file) for file in ([domain] if domain.is_file() else sorted(domain.rglob("*.yml")))]
        code = [file.read_text(encoding="utf-8") for file in _code(domain)]
    except BadInput as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"{error.filename} can't be read: {error.strerror}") from error
    responses = {
        str(name): Place(part.file, part.line("responses", str(name)))
        for part in parts
        for name in _section(part, "responses")
    }
    told = [str({key: _section(part, key) for key in ("rules", "stories", "actions")}) for part in (*parts, *documents)]
    named = {name for text in (*told, *code) for name in _RESPONSE.findall(text)}
    named |= {name for part in parts for name in _questions(part)}
    return Domain(responses, frozenset(named))


def _code(domain: Path) -> Iterator[Path]:
    for folder in (domain.parent / "actions", _BOT):
        yield from sorted(folder.rglob("*.py"))


def _questions(part: Document) -> Iterator[str]:
    """Yield what forms ask with."""
    for form, about in dict(_section(part, "forms")).items():
        for slot in (about or {}).get("required_slots") or []:
            yield f"utter_ask_{form}_{slot}"
            yield f"utter_ask_{slot}"


def _section(part: Document, key: str) -> Any:
    return (part.value.get(key) if isinstance(part.value, dict) else None) or {}
