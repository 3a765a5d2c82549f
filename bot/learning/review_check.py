"""What an edited review would teach, and everything that is wrong with it; pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pydantic import ValidationError

from bot.learning import provenance
from bot.learning.documents import Steps
from bot.learning.likeness import Sentence, near
from bot.learning.plan import Lesson, Plan, ToneLesson
from bot.learning.problems import Place, Problem, did_you_mean
from bot.learning.redaction import Redactor
from bot.learning.review_file import Entry, NewQuestion, Origin, ReviewFile
from bot.learning.training_data import ANSWERED, MARKS, Labelled, Phrase, TrainingData, contradictions, faults, key
from bot.nlu.text import normalise
from bot.nlu.triage_data import Example

NEARLY_THE_SAME = 0.8
"""Share of common words from which a golden message and an example, or examples of two intents, are too alike."""
NEARLY_THE_SAME_TONE = 0.7501
"""The same for triage sentences."""
FEWEST_EXAMPLES, ENOUGH_EXAMPLES, ENOUGH_GOLDEN = 5, 12, 3
"""For an intent: the least, and what makes it reliable and lets it be measured."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_Learnt = TypeVar("_Learnt", bound=Sentence)


def check(file: ReviewFile, data: TrainingData, redactor: Redactor) -> tuple[Plan, list[Problem]]:
    """Return what a review teaches, and all its problems in order of lines."""
    reader = _Reader(file, data, redactor)
    plan, problems = reader.plan, [*file.problems, *reader.problems]
    plan.phrases = _fresh(plan.phrases, data.phrases, lambda one: one.intent, plan, problems)
    plan.golden = _fresh(plan.golden, data.golden_phrases, lambda one: one.intent, plan, problems)
    plan.triage = _fresh(plan.triage, data.triage, lambda one: one.labels, plan, problems)
    problems += _too_alike(plan, data)
    problems += _enough(file, plan, data)
    return plan, sorted(set(problems))


class _Reader:
    """Reads a review into a plan, and looks at each thing by itself."""

    def __init__(self, file: ReviewFile, data: TrainingData, redactor: Redactor) -> None:
        self.plan = Plan()
        self.problems: list[Problem] = []
        self._file = file
        self._data = data
        self._redactor = redactor
        self._intents = data.intents | file.named
        self._dropped = provenance.messages_of(data.documents.get(data.folder / provenance.FILE), provenance.DROPPED)
        for number, question in file.questions.items():
            self._question(question, ("new", number))
        for number, entry in file.entries.items():
            self._entry(entry, ("messages", number))

    def _wrong(self, text: str, *path: str | int) -> None:
        self.problems.append(Problem(self._file.place(*path), text))

    def _question(self, question: NewQuestion, path: Steps) -> None:
        family, _, name = question.intent.partition("/")
        if family not in ANSWERED or not _NAME.fullmatch(name):
            self._wrong(
                f"{question.intent!r} must be faq/… or chitchat/…, in small letters, digits and _", *path, "intent"
            )
        elif family == "faq" and not _NAME.fullmatch(question.topic):
            self._wrong("name the file in nlu_data/faq, such as `topic: delivery`", *path, "topic")
        elif family == "chitchat" and question.topic:
            self._wrong("all chitchat is in chitchat.yml: take `topic:` out", *path, "topic")
        for number, answer in enumerate(question.answer):
            for fault in self._data.voice.faults(answer):
                self._wrong(f"the answer: {fault}", *path, "answer", number)
        for fault in self._data.voice.title_faults(question.title):
            self._wrong(f"the title: {fault}", *path, "title")
        if question.intent in self._data.intents:
            self._compare(question, path)
        else:
            self._twice(question, path)
            self.plan.questions.append(question)
        for kind, texts, lessons in (
            ("examples", question.examples, self.plan.phrases),
            ("golden", question.golden, self.plan.golden),
        ):
            for number, text in enumerate(texts):
                self._text(text, (*path, kind, number))
                place = self._file.place(*path, kind, number)
                lessons.append(Lesson(normalise(text), question.intent, place, Origin()))

    def _compare(self, question: NewQuestion, path: Steps) -> None:
        """Accept a question that is there already, as it is."""
        answers = [one for one in self._data.answers if one.name == f"utter_{question.intent}"]
        title = self._data.titles.get(question.intent)
        place = answers[0].place if answers else "without an answer"
        if [one.text for one in answers] != list(question.answer):
            self._wrong(f"{question.intent} has another answer already ({place}): change it there", *path, "answer")
        elif title and title.text != question.title:
            self._wrong(f"{question.intent} has another title already ({title.place}): change it there", *path, "title")
        else:
            self.plan.known += 1

    def _twice(self, question: NewQuestion, path: Steps) -> None:
        titles = {title.text.casefold(): str(title.place) for title in self._data.titles.values()}
        for other in self.plan.questions:
            titles[other.title.casefold()] = other.intent
            if other.intent == question.intent:
                self._wrong(f"{question.intent} is in this file twice", *path, "intent")
        if taken := titles.get(question.title.casefold()):
            self._wrong(f"another question has this title: {taken}", *path, "title")

    def _entry(self, entry: Entry, path: Steps) -> None:
        labelled = bool(entry.intent or entry.triage is not None)
        if entry.drop:
            self._drop(entry, labelled, path)
        elif not labelled:
            self.plan.open += 1
        else:
            self._text(entry.text, (*path, "text"))
        if entry.golden and not entry.intent:
            self._wrong("a message to measure with needs an intent", *path, "golden")
        if entry.intent and not entry.drop:
            self._intent(entry.intent, path)
            lessons = self.plan.golden if entry.golden else self.plan.phrases
            place = self._file.place(*path, "text")
            lessons.append(Lesson(normalise(entry.text), entry.intent, place, entry.origin))
        if entry.triage is not None:
            self._triage(entry, path)

    def _drop(self, entry: Entry, labelled: bool, path: Steps) -> None:
        if labelled:
            self._wrong("a message is dropped or labelled, not both", *path, "drop")
        elif entry.origin.message in self._dropped:
            self.plan.known += 1
        elif entry.origin.message:
            self.plan.dropped.append(entry.origin)

    def _intent(self, intent: str, path: Steps) -> None:
        if intent not in self._intents:
            hint = did_you_mean(intent, self._intents) or "; a new one needs an answer, under `new:`"
            self._wrong(f"there is no intent {intent!r}{hint}", *path, "intent")

    def _triage(self, entry: Entry, path: Steps) -> None:
        if entry.golden:
            self._wrong("a message to measure with is not learnt from: take `triage:` out", *path, "triage")
        try:
            example = Example.model_validate({**(entry.triage or {}), "text": normalise(entry.text)})
        except ValidationError as error:
            for where, told in faults(error):
                self._wrong(f"triage: {told}", *path, "triage", *where)
            return
        for told in contradictions(example):
            self._wrong(f"triage: {told}", *path, "triage")
        self.plan.triage.append(ToneLesson(example, self._file.place(*path, "text"), entry.origin))

    def _text(self, text: str, path: Steps) -> None:
        if not normalise(text):
            self._wrong("there is no text", *path)
        if MARKS.search(text):
            self._wrong("square brackets before ( or { would mark an entity: write it without", *path)
        for kind in self._redactor.kinds(text):
            self._wrong(f"there is personal data in it: put [{kind}] in its place", *path)


def _fresh(
    lessons: Sequence[_Learnt],
    known: Sequence[Sentence],
    label: Callable[..., object],
    plan: Plan,
    problems: list[Problem],
) -> list[_Learnt]:
    """Return the lessons that are not there yet, each once; the same words with another label are a problem."""
    there: dict[str, tuple[object, Place]] = {key(one.text): (label(one), one.place) for one in known}
    found = []
    for lesson in lessons:
        given, place = there.setdefault(key(lesson.text), (label(lesson), lesson.place))
        if given != label(lesson):
            what = f"is {given} already" if isinstance(given, str) else "has other labels already"
            problems.append(Problem(lesson.place, f"“{lesson.text}” {what}: {place}"))
        elif place == lesson.place:
            found.append(lesson)
        else:
            plan.known += 1
    return found


def _too_alike(plan: Plan, data: TrainingData) -> Iterator[Problem]:
    phrases: list[Phrase] = [*data.phrases, *plan.phrases]
    for one, other in near(plan.phrases, phrases, least=NEARLY_THE_SAME):
        if one.intent != other.intent and key(one.text) != key(other.text):
            yield Problem(one.place, f"nearly the same is {other.intent}: “{other.text}” ({other.place})")
    tones: list[Labelled] = [*data.triage, *plan.triage]
    for tone, like in near(plan.triage, tones, least=NEARLY_THE_SAME_TONE):
        told = f"nearly the same has labels already: “{like.text}” ({like.place}); leave `triage:` out"
        yield Problem(tone.place, told)
    leaks: list[tuple[Sequence[Sentence], Sequence[Sentence], str]] = [
        (plan.phrases, [*data.golden_phrases, *plan.golden], "a golden test"),
        (plan.golden, data.phrases, "an example"),
        (plan.triage, data.golden_triage, "a golden test"),
    ]
    for ours, theirs, what in leaks:
        for mine, yours in near(ours, theirs, least=NEARLY_THE_SAME):
            yield Problem(mine.place, f"{what} says nearly the same: “{yours.text}” ({yours.place})")


def _enough(file: ReviewFile, plan: Plan, data: TrainingData) -> Iterator[Problem]:
    """Ask for enough examples of each new question, and leave advice in the plan."""
    examples = Counter(lesson.intent for lesson in plan.phrases)
    golden = Counter(lesson.intent for lesson in plan.golden)
    for number, question in file.questions.items():
        intent = question.intent
        if intent in data.intents:
            continue
        place = file.place("new", number, "examples")
        if examples[intent] < FEWEST_EXAMPLES:
            yield Problem(place, f"{intent} has {examples[intent]} examples, {FEWEST_EXAMPLES} are the least")
        elif examples[intent] < ENOUGH_EXAMPLES:
            told = f"{intent} has {examples[intent]} examples; {ENOUGH_EXAMPLES} make it reliable"
            plan.advice.append(Problem(place, told))
        if golden[intent] < ENOUGH_GOLDEN:
            told = f"{intent} has {golden[intent]} golden messages; it takes {ENOUGH_GOLDEN} to measure it"
            plan.advice.append(Problem(file.place("new", number, "golden"), told))
