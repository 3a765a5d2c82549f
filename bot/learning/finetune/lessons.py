"""What an encoder is tuned with: sentences, and what each head is to learn of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.nlu.fitting import Task, one_hot
from bot.nlu.heads import tasks_of
from bot.nlu.text import prepare
from bot.nlu.triage_data import Example

INTENT = "intent"


@dataclass(frozen=True, eq=False)
class Lesson:
    """Texts as the encoder is given them, and tasks with a row for each; what is not known of a text is not counted."""

    texts: tuple[str, ...]
    tasks: Mapping[str, Task]


def lesson_of(examples: Sequence[Example], intents: Sequence[tuple[str, str]] = ()) -> Lesson:
    """Return the lesson of sentences with triage labels and of others, as pairs of a text and its intent."""
    texts = [example.text for example in examples] + [text for text, _ in intents]
    found = {name: _spread(task, 0, len(intents)) for name, task in tasks_of(examples).items()} if examples else {}
    names = [name for _, name in intents]
    labels = tuple(sorted(set(names)))
    if len(labels) > 1:
        found[INTENT] = _spread(Task(labels, one_hot(names, labels), True, 1.0), len(examples), 0)
    return Lesson(tuple(prepare(text) for text in texts), found)


def _spread(task: Task, before: int, after: int) -> Task:
    """Return a task over more texts, of which it knows nothing."""
    known = np.ones_like(task.targets) if task.known is None else task.known
    rows = ((before, after), (0, 0))
    return Task(task.labels, np.pad(task.targets, rows), task.exclusive, task.strength, np.pad(known, rows))
