"""What a review would change in the training data."""

from dataclasses import dataclass, field

from bot.learning.problems import Problem
from bot.learning.review_file import NewQuestion, Origin
from bot.learning.training_data import Labelled, Phrase


@dataclass(frozen=True)
class Lesson(Phrase):
    """A sentence with an intent, for the training data or the golden tests; `place` is in the review."""

    origin: Origin


@dataclass(frozen=True)
class ToneLesson(Labelled):
    """A sentence with triage labels; `place` is in the review."""

    origin: Origin


@dataclass
class Plan:
    """What is new in a review. `known` counts what was there already, `open` what has no label yet."""

    phrases: list[Lesson] = field(default_factory=list)
    golden: list[Lesson] = field(default_factory=list)
    triage: list[ToneLesson] = field(default_factory=list)
    questions: list[NewQuestion] = field(default_factory=list)
    dropped: list[Origin] = field(default_factory=list)
    known: int = 0
    open: int = 0
    advice: list[Problem] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """There is something to write."""
        return bool(self.phrases or self.golden or self.triage or self.questions or self.dropped)
