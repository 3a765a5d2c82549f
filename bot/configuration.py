"""How settings are read: which source set which setting, and one clear line when one is wrong.

Sources, the later wins: defaults, `frontdesk.toml` in the data folder, REDIS_URL and DATABASE_URL, other environment
variables (`FRONTDESK_WEB__PORT=8080`), flags of the command line.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bot.conversation.errors import ConfigError
from bot.settings import Settings

FILE = "frontdesk.toml"
PREFIX = "FRONTDESK_"
URLS = {"REDIS_URL": "redis.url", "DATABASE_URL": "database.url"}
MASK = "********"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of an installation; `sources` names where each setting that is no default came from."""

    settings: Settings
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A setting for people: `value` and `default` as text, secrets masked."""

    name: str
    value: str
    default: str
    source: str
    help: str
    variable: str


def load(flags: Mapping[str, Any] | None = None) -> Configuration:
    """Return the settings; `flags` are values from the command line by dotted name, None where not given.

    Raises:
        ConfigError: a setting is unknown or wrong; the text names it and where it came from.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environment = dict(_environment())
    data = given.get("data") or environment.get("data", (".frontdesk", ""))[0]
    values: dict[str, tuple[Any, str]] = dict(_file(Path(data) / FILE))
    values.update(environment)
    values.update({name: (value, "command line") for name, value in given.items()})
    nested: dict[str, Any] = {}
    for name, (value, _) in values.items():
        section, _, field = name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[field] = value
    sources = {name: source for name, (_, source) in values.items()}
    try:
        settings = Settings(**nested)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None
    return Configuration(settings, sources)


def rows(configuration: Configuration | None = None) -> list[Row]:
    """Return every setting in the order of its definition; without a configuration, as its default."""
    defaults = Settings.model_construct()
    found = []
    for name, field in _fields():
        default = _read(defaults, name)
        value = _read(configuration.settings, name) if configuration else default
        source = configuration.sources.get(name, "default") if configuration else "default"
        found.append(Row(name, _text(value), _text(default), source, field.description or "", _variable(name)))
    return found


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            for key, inner in section.model_fields.items():
                yield f"{name}.{key}", inner
        else:
            yield name, field


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace(".", "__")


def _read(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return MASK
    if value is None or value == ():
        return "-"
    if isinstance(value, (tuple, dict)):
        return json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return str(value)


def _file(path: Path) -> Iterator[tuple[str, tuple[Any, str]]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ConfigError(f"the data folder {path.parent} is not a folder") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    sections = {name.split(".")[0] for name, _ in _fields() if "." in name}
    for key, value in content.items():
        if key == "data":
            raise ConfigError(f"{path}: the data folder can't be set in its own file; use --data or FRONTDESK_DATA")
        if key in sections and isinstance(value, dict):
            for inner, setting in value.items():
                yield _known(f"{key}.{inner}", str(path)), (setting, str(path))
        elif key in sections:
            raise ConfigError(f'{path}: "{key}" is a section; write [{key}] and its settings below it')
        else:
            _known(key, str(path))


def _environment() -> Iterator[tuple[str, tuple[Any, str]]]:
    for variable, name in URLS.items():
        if os.environ.get(variable):
            yield name, (os.environ[variable], variable)
    fields = {_variable(name): (name, field) for name, field in _fields()}
    for variable, text in os.environ.items():
        if not variable.upper().startswith(PREFIX):
            continue
        if variable.upper() not in fields:
            name = variable[len(PREFIX) :].lower().replace("__", ".")
            _known(name, f"environment variable {variable}")
            raise ConfigError(f"environment variable {variable}: write it as {_variable(name)}")
        name, field = fields[variable.upper()]
        yield name, (_parsed(variable, text, field), variable)


def _parsed(variable: str, text: str, field: FieldInfo) -> Any:
    if get_origin(field.annotation) not in (tuple, dict):
        return text
    try:
        return json.loads(text)
    except ValueError:
        example = '{"mon": ["08:00", "20:00"]}' if get_origin(field.annotation) is dict else '["…", "…"]'
        raise ConfigError(f"{variable} must be JSON, for example {example}") from None


def _known(name: str, source: str) -> str:
    names = [known for known, _ in _fields()]
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f'; did you mean "{near[0]}"?' if near else "; `frontdesk config` lists all"
    raise ConfigError(f'{source}: there is no setting "{name}"{hint}')


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = [str(part) for part in first["loc"]]
    name = next((".".join(place[:n]) for n in (2, 1) if ".".join(place[:n]) in sources), ".".join(place))
    what = first["msg"].removeprefix("Value error, ")
    return f"setting {name} (from {sources.get(name, 'default')}): {what[:1].lower()}{what[1:]}"
