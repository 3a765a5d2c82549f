"""What the assistant's config.yml says, read without Rasa."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.conversation.errors import ConfigError
from bot.policies.thresholds import POLICY, Thresholds, thresholds_of

_ENCODING = ("IntentClassifier", "TriageClassifier")


def read_components(file: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a configuration and, by name, those components in it that have an encoder.

    Raises:
        ConfigError: they are not there, or have encoders that differ.
    """
    config, components = _read(file, "pipeline")
    try:
        found = {name: components[name] for name in _ENCODING}
    except KeyError as error:
        raise ConfigError(f"{file}: the pipeline has no component {error}, which names the encoder") from error
    if len({each.get("encoder") for each in found.values()}) > 1:
        raise ConfigError(f"{file}: {' and '.join(_ENCODING)} have encoders that differ; name the same in both")
    return config, found


def read_thresholds(file: Path) -> Thresholds:
    """Return the thresholds of a configuration's escalation policy, the default ones if it has none.

    Raises:
        ConfigError: a value is not of its kind.
    """
    _, policies = _read(file, "policies")
    given: Mapping[str, Any] = policies.get(POLICY, {})
    return thresholds_of({name: value for name, value in given.items() if name != "name"})


def _read(file: Path, section: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a configuration and the entries of a section by the names of their classes."""
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        entries = [each for each in config[section] if isinstance(each, dict)]
        return config, {str(each["name"]).rpartition(".")[2]: each for each in entries}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
