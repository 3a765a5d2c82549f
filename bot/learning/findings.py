"""What a check of the training data finds."""

from dataclasses import dataclass
from enum import StrEnum

from bot.learning.problems import Place


class Level(StrEnum):
    """How bad it is: an error has to be put right, a warning to be looked at."""

    ERROR = "error"
    WARNING = "warning"


class Kind(StrEnum):
    """What was found; docs/learning.md explains each."""

    SMALL = "small_intent"
    SAME = "same_words"
    CONTRADICTION = "contradictory_labels"
    NEAR = "nearly_the_same"
    LEAKAGE = "leakage"
    UNMEASURED = "not_measured"
    ANSWER = "answer"
    UNUSED = "unused_answer"
    VOICE = "voice"
    OVERLAP = "overlap"
    MISLABEL = "likely_mislabel"


@dataclass(frozen=True)
class Finding:
    """Something about the training data; `head` is the one it is about.

    `examples` are the sentences at the first of `places`; there are none where the text says it all.
    """

    level: Level
    kind: Kind
    text: str
    places: tuple[Place, ...] = ()
    examples: tuple[str, ...] = ()
    head: str = ""
