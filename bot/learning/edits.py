"""Write what was learnt into `nlu_data`, line by line: nothing else in a file changes, comments and order stay."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import yaml

from bot.conversation.errors import BadInput
from bot.learning import provenance
from bot.learning.documents import Document, last_line
from bot.learning.plan import Lesson, Plan
from bot.learning.review_file import NewQuestion, labels_of, quoted
from bot.learning.training_data import (
    GOLDEN_INTENTS,
    TITLES,
    TITLES_RESPONSE,
    TRIAGE,
    Phrase,
    TrainingData,
    training_data_of,
)

REVIEWED = f"{TRIAGE}/reviewed.yml"
_TRIAGE_HEAD = """\
# Written by `frontdesk review import`; provenance.yml says where each comes from.
topic: customers' messages, labelled in review
messages:
"""
_GOLDEN_HEAD = "golden: intents\nmessages:\n"
_FAQ_HEAD = 'version: "3.1"\nnlu:\n'


def edited(plan: Plan, data: TrainingData, today: date) -> dict[Path, str]:
    """Return the new text of each file that a plan changes.

    Raises:
        BadInput: a file is written in a way that can't be added to; the text says which and where.
    """
    edits = _Edits(data)
    for question in plan.questions:
        edits.add_question(question, [one for one in plan.phrases if one.intent == question.intent])
    asked = {question.intent for question in plan.questions}
    for lesson in plan.phrases:
        if lesson.intent not in asked:
            edits.add_example(lesson)
    edits.add_golden(plan.golden)
    edits.append(
        REVIEWED, _TRIAGE_HEAD, [f"- {{text: {quoted(one.text)}, {labels_of(one.example)}}}" for one in plan.triage]
    )
    edits.append(provenance.FILE, f"{provenance.HEAD}{provenance.KEY}:\n", list(_provenance(plan, today)))
    texts = edits.texts()
    _verify(texts, plan, data)
    return texts


class _Edits:
    """Lines to insert into files, by the line after which they come."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self._inserted: dict[Path, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._made: dict[Path, list[str]] = {}

    def texts(self) -> dict[Path, str]:
        """Return the files as they are with all insertions."""
        found = {file: "\n".join(lines) + "\n" for file, lines in self._made.items()}
        for file, insertions in self._inserted.items():
            lines = self._data.documents[file].text.splitlines()
            for after in sorted(insertions, reverse=True):
                lines[after:after] = insertions[after]
            found[file] = "\n".join(lines) + "\n"
        return found

    def append(self, name: str, head: str, items: Sequence[str]) -> None:
        """Add items at the end of the only list of a file, which is made if it is not there."""
        if not items:
            return
        file = self._data.folder / name
        document = self._data.documents.get(file)
        if document is None:
            self._made.setdefault(file, head.splitlines()).extend(items)
            return
        key = head.splitlines()[-1].removesuffix(":")
        column = self._block(document, key).start_mark.column
        self._insert(document, last_line(document.node(key)), [" " * column + item for item in items])

    def add_example(self, lesson: Lesson) -> None:
        """Add an example to the intent's last block."""
        for document in self._data.documents.values():
            items = document.value.get("nlu") if isinstance(document.value, dict) else None
            for number, item in reversed(list(enumerate(items or []))):
                if isinstance(item, dict) and item.get("intent") == lesson.intent:
                    block = document.node("nlu", number, "examples")
                    if not isinstance(block, yaml.ScalarNode) or block.style != "|":
                        place = f"{document.file}:{document.line('nlu', number)}"
                        raise BadInput(
                            f"{place}: write the examples as a block, `examples: |`, so that one can be added"
                        )
                    last = last_line(block)
                    before = document.text.splitlines()[last - 1]
                    self._insert(document, last, [f"{before[: len(before) - len(before.lstrip())]}- {lesson.text}"])
                    return

    def add_golden(self, lessons: Sequence[Lesson]) -> None:
        """Add messages to measure intents with, beside those of the same intent where there are some."""
        document = self._data.documents.get(self._data.folder / GOLDEN_INTENTS)
        places = {}
        if document is not None:
            places = {item["intent"]: number for number, item in enumerate(document.value["messages"])}
        fresh: dict[str, list[str]] = defaultdict(list)
        for lesson in lessons:
            if document is not None and lesson.intent in places:
                block = self._block(document, "messages", places[lesson.intent], "texts")
                self._insert(document, last_line(block), [" " * block.start_mark.column + f"- {quoted(lesson.text)}"])
            else:
                fresh[lesson.intent].append(f"  - {quoted(lesson.text)}")
        for intent, texts in fresh.items():
            self.append(GOLDEN_INTENTS, _GOLDEN_HEAD, [f"- intent: {intent}", "  texts:", *texts])

    def add_question(self, question: NewQuestion, lessons: Sequence[Lesson]) -> None:
        """Add an intent with its examples, its answer, and its title."""
        name = f"faq/{question.topic}.yml" if question.topic else "chitchat.yml"
        file = self._data.folder / name
        document = self._data.documents.get(file)
        examples = [f"- intent: {question.intent}", "  examples: |", *(f"    - {one.text}" for one in lessons)]
        answer = [f"  utter_{question.intent}:", *(f"  - text: {quoted(text)}" for text in question.answer)]
        if document is None:
            made = self._made.setdefault(file, _FAQ_HEAD.splitlines())
            place = made.index("responses:") if "responses:" in made else len(made)
            made[place:] = [*examples, *(made[place:] or ["responses:"]), *answer]
        else:
            items = self._block(document, "nlu")
            before = document.text.splitlines()[items.value[-1].start_mark.line - 1]
            gap = [] if before.strip() else [""]
            self._insert(document, last_line(items), [*gap, *(" " * items.start_mark.column + one for one in examples)])
            responses = self._block(document, "responses")
            self._insert(document, last_line(responses), answer)
        self._add_title(question, file)

    def _add_title(self, question: NewQuestion, file: Path) -> None:
        document = self._data.documents.get(self._data.folder / TITLES)
        if document is None:
            return
        beside = {phrase.intent for phrase in self._data.phrases if phrase.place.file == file}
        family = question.intent.split("/")[0]
        titles = self._data.titles
        last = [one for one in titles if one in beside] or [one for one in titles if one.startswith(f"{family}/")]
        block = self._block(document, "responses", TITLES_RESPONSE, 0, "custom")
        line = titles[last[-1]].place.line if last else last_line(block)
        self._insert(document, line, [" " * block.start_mark.column + f"{question.intent}: {_plain(question.title)}"])

    def _block(self, document: Document, *path: str | int) -> yaml.CollectionNode:
        """Return a list or mapping of several lines."""
        node = document.node(*path)
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            place = f"{document.file}:{document.line(*path)}"
            raise BadInput(f"{place}: write {path[-1]} over several lines, so that something can be added")
        return node

    def _insert(self, document: Document, after: int, lines: Sequence[str]) -> None:
        self._inserted[document.file][after] += lines


def _plain(title: str) -> str:
    """Return a title as YAML, in quotes only where it needs them."""
    try:
        bare = yaml.safe_load(f"title: {title}") == {"title": title}
    except yaml.YAMLError:
        bare = False
    return title if bare else quoted(title)


def _provenance(plan: Plan, today: date) -> list[str]:
    return [
        *(provenance.line_of(one.intent, one.text, one.origin, today) for one in plan.phrases),
        *(provenance.line_of(f"{provenance.GOLDEN} {one.intent}", one.text, one.origin, today) for one in plan.golden),
        *(provenance.line_of(provenance.TRIAGE, one.text, one.origin, today) for one in plan.triage),
        *(provenance.line_of(provenance.DROPPED, "", origin, today) for origin in plan.dropped),
    ]


def _verify(texts: Mapping[Path, str], plan: Plan, data: TrainingData) -> None:
    """Make sure that the files say what they said, and what is new, and nothing else."""
    documents = {**data.documents, **{file: Document.of(file, text) for file, text in texts.items()}}
    after = training_data_of(data.folder, documents)
    phrases: list[Phrase] = [*data.phrases, *plan.phrases]
    golden: list[Phrase] = [*data.golden_phrases, *plan.golden]
    answers = [(one.name, one.text) for one in data.answers]
    answers += [(f"utter_{one.intent}", text) for one in plan.questions for text in one.answer]
    whole = (
        _said(after.phrases) == _said(phrases)
        and _said(after.golden_phrases) == _said(golden)
        and sorted((one.name, one.text) for one in after.answers) == sorted(answers)
        and len(after.triage) == len(data.triage) + len(plan.triage)
    )
    if not whole:
        raise BadInput(f"{data.folder}: its files are written in a way that can't be added to; nothing was written")


def _said(phrases: Iterable[Phrase]) -> list[tuple[str, str]]:
    return sorted((one.text, one.intent) for one in phrases)
