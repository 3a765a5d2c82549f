"""What heads say of sentences that were held back: intents that overlap, labels that may be wrong."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.learning.findings import Finding, Kind, Level
from bot.learning.likeness import Sentence
from bot.learning.training_data import Labelled, Phrase
from bot.nlu.encoder import Encoder, Encoding
from bot.nlu.fitting import Fit, Task
from bot.nlu.heads import fit_heads, tasks_of
from bot.nlu.intents import Taught, fit_intents
from bot.nlu.linear import Floats, to_probabilities
from bot.nlu.text import prepare

CONFUSED = 3
"""Examples of a pair of intents that are taken for each other, from which it is told."""
CONFUSED_SHARE = 0.15
"""And their share of the examples of the smaller intent."""
UNLIKELY = 0.2
"""A label is doubted if it gets less than this part of what chance gives each label, and another one gets more."""
DOUBTED = ("complaint", "severity", "sentiment")
"""The triage heads whose labels are doubted; the others name several things, and some are left out on purpose."""
_SHOWN = 3

Progress = Callable[[str], None]


def cross_validate(
    phrases: Sequence[Phrase], sentences: Sequence[Labelled], encoder: Encoder, progress: Progress
) -> list[Finding]:
    """Return what the held-back sentences show; `progress` is told what is done now."""
    found: list[Finding] = []
    if len({phrase.intent for phrase in phrases}) > 1:
        progress(f"encoding {len(phrases)} examples")
        encoding = _encode(encoder, [phrase.text for phrase in phrases], triage=False)
        progress("cross-validating the intents")
        taught = Taught([(phrase.text, phrase.intent) for phrase in phrases])
        found += _intents(phrases, fit_intents(encoding, taught)[0])
    if sentences:
        progress(f"encoding {len(sentences)} triage sentences")
        encoding = _encode(encoder, [sentence.text for sentence in sentences])
        tasks = tasks_of([sentence.example for sentence in sentences])
        doubted = {head: tasks[head] for head in DOUBTED if head in tasks}
        progress(f"cross-validating {', '.join(doubted)}")
        for head, fit in fit_heads(encoding, doubted).items():
            found += _tones(head, sentences, doubted[head], fit)
    return found


def _encode(encoder: Encoder, texts: Sequence[str], triage: bool = True) -> Encoding:
    return encoder.encode([prepare(text) for text in texts], triage)


def _intents(phrases: Sequence[Phrase], found: Fit) -> Iterator[Finding]:
    labels = found.linear.labels
    probabilities = to_probabilities(found.held_back, exclusive=True)
    best = probabilities.argmax(axis=1)
    counts: dict[str, int] = defaultdict(int)
    confused: dict[tuple[str, str], list[Phrase]] = defaultdict(list)
    for phrase, guess in zip(phrases, best, strict=True):
        counts[phrase.intent] += 1
        if labels[guess] != phrase.intent:
            one, other = sorted((phrase.intent, labels[guess]))
            confused[one, other].append(phrase)
    for (one, other), taken in sorted(confused.items(), key=lambda item: -len(item[1])):
        if len(taken) >= max(CONFUSED, CONFUSED_SHARE * min(counts[one], counts[other])):
            told = f"{one} and {other} overlap: {len(taken)} of their examples are taken for the other"
            places = tuple(phrase.place for phrase in taken)
            yield Finding(Level.WARNING, Kind.OVERLAP, told, places, tuple(phrase.text for phrase in taken[:_SHOWN]))
    own = np.array([labels.index(phrase.intent) for phrase in phrases])
    yield from _doubts("intent", labels, probabilities, own, phrases)


def _tones(head: str, sentences: Sequence[Labelled], task: Task, found: Fit) -> Iterator[Finding]:
    probabilities = to_probabilities(found.held_back, task.exclusive)
    if task.exclusive:
        yield from _doubts(head, task.labels, probabilities, task.targets.argmax(axis=1), sentences)
    else:  # one label, which is there or not
        both = np.column_stack([1 - probabilities[:, 0], probabilities[:, 0]])
        yield from _doubts(head, (f"no {head}", head), both, task.targets[:, 0].astype(int), sentences)


def _doubts(
    head: str, labels: Sequence[str], probabilities: Floats, own: NDArray[np.int64], sentences: Sequence[Sentence]
) -> Iterator[Finding]:
    """Yield the sentences whose label is doubted, the most doubtful first."""
    mine, best = probabilities[np.arange(len(sentences)), own], probabilities.argmax(axis=1)
    for row in np.argsort(mine, kind="stable"):
        if mine[row] * len(labels) < UNLIKELY and best[row] != own[row]:
            likely = f"{labels[best[row]]} ({probabilities[row, best[row]]:.2f})"
            sentence, told = sentences[row], f"{head}: rather {likely} than {labels[own[row]]} ({mine[row]:.3f})"
            yield Finding(Level.WARNING, Kind.MISLABEL, told, (sentence.place,), (sentence.text,), head)
