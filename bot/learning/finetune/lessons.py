"""What an encoder is tuned with: sentences, and what each head is to learn of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.nlu.branch import text_number
from bot.nlu.fitting import Task, one_hot
from bot.nlu.heads import tasks_of
from bot.nlu.text import prepare
from bot.nlu.triage_data import Example

INTENT = "intent"
HELD_BACK = 10
"""One sentence in that many is not tuned with: the probabilities of the heads are calibrated on those."""
FEWEST_TO_HOLD_BACK = 1000
"""With fewer sentences, all are needed for tuning."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Texts as the encoder is given them, and tasks with a row for each; what is not known of a text is not counted."""

    texts: tuple[str, ...]
    tasks: Mapping[str, Task]


def triage_lesson(examples: Sequence[Example]) -> Lesson:
    """Return the lesson of sentences with triage labels; of many, a tenth is held back."""
    prepared = [(prepare(example.text), example) for example in examples]
    if len(examples) >= FEWEST_TO_HOLD_BACK:
        prepared = [(text, example) for text, example in prepared if text_number(text) % HELD_BACK]
    tasks = tasks_of([example for _, example in prepared]) if prepared else {}
    return Lesson(tuple(text for text, _ in prepared), tasks)


def intent_lesson(phrases: Sequence[tuple[str, str]]) -> Lesson:
    """Return the lesson of pairs of a text and its intent."""
    names = [name for _, name in phrases]
    labels = tuple(sorted(set(names)))
    tasks = {INTENT: Task(labels, one_hot(names, labels), True, 1.0)} if len(labels) > 1 else {}
    return Lesson(tuple(prepare(text) for text, _ in phrases), tasks)
