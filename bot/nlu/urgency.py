"""Urgency signals by phrases, from `nlu_data/entities/urgency.yml`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.conversation.errors import ConfigError
from bot.conversation.triage import Urgency
from bot.nlu.entities import read_patterns
from bot.nlu.phrases import PhraseBook, tokenizer
from bot.nlu.text import normalise

FILE = "urgency.yml"
_HARMLESS = "harmless "


class Signal(BaseModel):
    """The phrases of one signal, and those that look alike and mean nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phrases: tuple[str, ...]
    unless: tuple[str, ...] = ()


class UrgencyPhrases:
    """Finds urgency signals by phrases."""

    def __init__(self, folder: Path) -> None:
        """Read the phrases of `urgency.yml` in a folder; without the file there are none.

        Raises:
            ConfigError: the file is not as it should be.
        """
        phrases: dict[str, tuple[str, ...]] = {}
        for signal, known in _read(folder / FILE).items():
            phrases[signal.value] = known.phrases
            phrases[_HARMLESS + signal.value] = known.unless
        harmless = [label for label in phrases if label.startswith(_HARMLESS)]
        self._book = PhraseBook(tokenizer(), phrases, ignored=harmless, one_a_place=False)

    def find(self, text: str) -> tuple[Urgency, ...]:
        """Return the signals of a text, in the order of `Urgency`."""
        found = {each.label for each in self._book.find(tokenizer()(normalise(text)))}
        return tuple(signal for signal in Urgency if signal in found)


def _read(file: Path) -> Mapping[Urgency, Signal]:
    if not file.is_file():
        return {}
    try:
        signals: Mapping[str, object] = read_patterns(file)["urgency"]
        return {Urgency(name): Signal.model_validate(signal) for name, signal in signals.items()}
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    except (KeyError, ValueError, AttributeError) as error:
        raise ConfigError(f"{file} holds no urgency signals: {error}") from error
