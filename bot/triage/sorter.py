"""Texts to triages with priorities, by one trained model and nothing else."""

import json
import tarfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from bot.channels.text import mend_surrogates
from bot.conversation.explanation import Explanation
from bot.conversation.triage import Triage
from bot.nlu.skill import load_skill
from bot.nlu.text import MAX_CHARS, normalise
from bot.policies.priority import PrioritisedTriage, prioritise
from bot.policies.thresholds import POLICY, Thresholds, thresholds_of


class Sorter:
    """The triage and the thresholds of a trained assistant."""

    def __init__(self, model: Path) -> None:
        """Load a model.

        Raises:
            ConfigError: it can't be read, or was made with another encoder.
        """
        self._skill = load_skill(model)
        self._thresholds = thresholds_in(model)
        self._nothing = prioritise(Triage(model=model.name.split(".")[0]), self._thresholds)

    def sort(self, texts: Sequence[str], today: date) -> list[PrioritisedTriage]:
        """Return the triage of each text, by what the assistant would read of it; a blank one says nothing."""
        read = [mend_surrogates(text[:MAX_CHARS]) for text in texts]
        says = [bool(normalise(text)) for text in read]
        said = iter(self._skill.triage([text for text, something in zip(read, says, strict=True) if something], today))
        return [prioritise(next(said), self._thresholds) if something else self._nothing for something in says]

    def explain(self, text: str) -> Explanation:
        """Return which words of a text carried its complaint and its mood."""
        return self._skill.explain(mend_surrogates(text))


def thresholds_in(model: Path) -> Thresholds:
    """Return the thresholds with which a model was trained.

    Raises:
        ConfigError: a value is not of its kind.
    """
    with tarfile.open(model) as archive:
        metadata = archive.extractfile("metadata.json")
        nodes = json.load(metadata)["predict_schema"]["nodes"] if metadata else {}
    policies = (node["config"] for node in nodes.values() if node["uses"].rpartition(".")[2] == POLICY)
    return thresholds_of(next(policies, {}))
