"""What is wrong with the training data, or may be, as far as its files tell; pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bot.learning.domain import Domain
from bot.learning.findings import Finding, Kind, Level
from bot.learning.likeness import Sentence, near
from bot.learning.review_check import (
    ENOUGH_EXAMPLES,
    ENOUGH_GOLDEN,
    FEWEST_EXAMPLES,
    NEARLY_THE_SAME,
    NEARLY_THE_SAME_TONE,
)
from bot.learning.training_data import ANSWERED, TrainingData, contradictions, key

_UTTER = "utter_"
_Said = TypeVar("_Said", bound=Sentence)


def examine(data: TrainingData, domain: Domain) -> list[Finding]:
    """Return what the files show, errors first."""
    found = [
        *_same_words(data.phrases, lambda one: one.intent, "an example"),
        *_same_words(data.triage, lambda one: one.labels, "a triage sentence"),
        *_same_words(data.golden_phrases, lambda one: one.intent, "a golden message"),
        *_contradictions(data),
        *_leaks(data),
        *_sizes(data),
        *_answers(data),
        *_near(data),
        *_unused(data, domain),
    ]
    return sorted(found, key=lambda finding: (finding.level, list(Kind).index(finding.kind)))


def _same_words(sentences: Sequence[_Said], label: Callable[[_Said], object], what: str) -> Iterator[Finding]:
    groups: dict[str, list[_Said]] = defaultdict(list)
    for sentence in sentences:
        groups[key(sentence.text)].append(sentence)
    for group in groups.values():
        if len(group) > 1:
            places, texts = tuple(one.place for one in group), tuple(one.text for one in group)
            labels = list(dict.fromkeys(label(one) for one in group))
            if len(labels) == 1:
                yield Finding(Level.WARNING, Kind.SAME, f"{what} is there {len(group)} times", places, texts)
            else:
                names = f" ({', '.join(map(str, labels))})" if all(isinstance(one, str) for one in labels) else ""
                told = f"{what} is there with different labels{names}"
                yield Finding(Level.ERROR, Kind.CONTRADICTION, told, places, texts)


def _contradictions(data: TrainingData) -> Iterator[Finding]:
    for sentence in (*data.triage, *data.golden_triage):
        for told in contradictions(sentence.example):
            yield Finding(Level.ERROR, Kind.CONTRADICTION, told, (sentence.place,), (sentence.text,))


def _leaks(data: TrainingData) -> Iterator[Finding]:
    sides: list[tuple[Sequence[Sentence], Sequence[Sentence], str]] = [
        (data.golden_phrases, data.phrases, "an example"),
        (data.golden_triage, data.triage, "a triage sentence"),
    ]
    for golden, trained, what in sides:
        for one, other in near(golden, trained, least=NEARLY_THE_SAME):
            told = f"a golden message says nearly the same as {what}, so that it measures nothing"
            yield Finding(Level.ERROR, Kind.LEAKAGE, told, (one.place, other.place), (one.text, other.text))


def _sizes(data: TrainingData) -> Iterator[Finding]:
    places = {phrase.intent: phrase.place for phrase in reversed(data.phrases)}
    golden = Counter(phrase.intent for phrase in data.golden_phrases)
    for intent, count in sorted(Counter(phrase.intent for phrase in data.phrases).items()):
        if count < ENOUGH_EXAMPLES:
            level = Level.ERROR if count < FEWEST_EXAMPLES else Level.WARNING
            told = f"{intent} has {count} examples; {FEWEST_EXAMPLES} are the least, {ENOUGH_EXAMPLES} make it reliable"
            yield Finding(level, Kind.SMALL, told, (places[intent],))
        if golden[intent] < ENOUGH_GOLDEN:
            told = f"{intent} has {golden[intent]} golden messages; it takes {ENOUGH_GOLDEN} to measure it"
            yield Finding(Level.WARNING, Kind.UNMEASURED, told, (places[intent],))
    for phrase in data.golden_phrases:
        if phrase.intent not in data.intents:
            told = f"a golden message has the intent {phrase.intent}, which has no examples"
            yield Finding(Level.ERROR, Kind.SMALL, told, (phrase.place,), (phrase.text,))


def _answers(data: TrainingData) -> Iterator[Finding]:
    answered = {answer.name.removeprefix(_UTTER) for answer in data.answers}
    places = {phrase.intent: phrase.place for phrase in reversed(data.phrases)}
    for intent in sorted(data.intents):
        if intent.partition("/")[0] in ANSWERED and "/" in intent:
            if intent not in answered:
                yield Finding(Level.ERROR, Kind.ANSWER, f"{intent} has no answer", (places[intent],))
            if data.titles and intent not in data.titles:
                yield Finding(Level.WARNING, Kind.ANSWER, f"{intent} has no title for a button", (places[intent],))
    for answer in data.answers:
        for fault in data.voice.faults(answer.text):
            yield Finding(Level.WARNING, Kind.VOICE, f"{answer.name}: {fault}", (answer.place,))
    for intent, title in data.titles.items():
        for fault in data.voice.title_faults(title.text):
            yield Finding(Level.WARNING, Kind.VOICE, f"the title of {intent}: {fault}", (title.place,))


def _near(data: TrainingData) -> Iterator[Finding]:
    for one, other in near(data.phrases, data.phrases, least=NEARLY_THE_SAME):
        if one.place < other.place and one.intent != other.intent and key(one.text) != key(other.text):
            told = f"examples of {one.intent} and {other.intent} say nearly the same"
            yield Finding(Level.WARNING, Kind.NEAR, told, (one.place, other.place), (one.text, other.text))
    for tone, like in near(data.triage, data.triage, least=NEARLY_THE_SAME_TONE):
        if tone.place < like.place and key(tone.text) != key(like.text):
            told = "two triage sentences say nearly the same"
            yield Finding(Level.WARNING, Kind.NEAR, told, (tone.place, like.place), (tone.text, like.text))


def _unused(data: TrainingData, domain: Domain) -> Iterator[Finding]:
    for answer in {answer.name: answer for answer in data.answers}.values():
        intent = answer.name.removeprefix(_UTTER)
        if "/" in intent and intent not in data.intents:
            told = f"{answer.name} is never said: no example has the intent {intent}"
            yield Finding(Level.WARNING, Kind.UNUSED, told, (answer.place,))
    for name, place in domain.responses.items():
        if name not in domain.named:
            yield Finding(Level.WARNING, Kind.UNUSED, f"{name} is never said: nothing names it", (place,))
