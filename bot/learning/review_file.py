"""The file that a designer edits: messages to label, and room for new questions. docs/learning.md describes it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.conversation.triage import Triage
from bot.learning.documents import Document, Step, Steps
from bot.learning.problems import Place, Problem, did_you_mean
from bot.learning.selection import Chosen, Why
from bot.learning.training_data import faults
from bot.nlu.triage_data import Example

FORMAT = 1
PARTS = ("review", "new", "messages")
_GUESSES = 4


def _listed(value: Any) -> Any:
    return [] if value is None else [value] if isinstance(value, str) else value


def _text_or_nothing(value: Any) -> Any:
    return "" if value is None else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Word = Annotated[str, BeforeValidator(_text_or_nothing)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Part):
    """Where a message comes from; kept with what is learnt of it."""

    message: str = ""
    said: date | None = None
    channel: str = ""
    model: str = ""
    guess: str = ""
    why: tuple[Why, ...] = ()


class Entry(_Part):
    """A message with what a designer says of it."""

    text: str
    intent: Word = ""
    triage: dict[str, Any] | None = None
    golden: bool = False
    drop: bool = False
    origin: Origin = Field(default=Origin(), alias="from")


class NewQuestion(_Part):
    """A question that the assistant is to answer from now on."""

    intent: str
    title: str
    topic: Word = ""
    answer: Texts = Field(min_length=1)
    examples: Texts
    golden: Texts = ()


Item = TypeVar("Item", NewQuestion, Entry)


@dataclass(frozen=True)
class ReviewFile:
    """A review that was read: what is as it should be, by its number in the file, and what is wrong with the rest."""

    document: Document
    questions: Mapping[int, NewQuestion]
    entries: Mapping[int, Entry]
    problems: tuple[Problem, ...]

    @property
    def named(self) -> frozenset[str]:
        """The intents under `new`, those of faulty questions as well."""
        new = self.document.value.get("new") if isinstance(self.document.value, dict) else None
        items = new if isinstance(new, list) else ()
        return frozenset(str(one.get("intent")) for one in items if isinstance(one, dict))

    def place(self, *path: Step) -> Place:
        """Return the place of something in the file."""
        return Place(self.document.file, self.document.line(*path))


def read_review(file: Path) -> ReviewFile:
    """Read an edited file.

    Raises:
        BadInput: it is no YAML at all.
    """
    document = Document.read(file)
    problems: list[Problem] = []
    content = document.value if isinstance(document.value, dict) else {}
    if content.get("review") != FORMAT:
        told = f"a review begins with `review: {FORMAT}`, as `frontdesk review export` writes it"
        problems.append(Problem(Place(file, document.line("review")), told))
    for name in sorted({str(name) for name in content} - set(PARTS)):
        told = f"there is no {name!r} here{did_you_mean(name, PARTS)}"
        problems.append(Problem(Place(file, document.line(name)), told))
    questions = _items(document, content, "new", NewQuestion, problems)
    return ReviewFile(document, questions, _items(document, content, "messages", Entry, problems), tuple(problems))


def _items(
    document: Document, content: Mapping[str, Any], name: str, kind: type[Item], problems: list[Problem]
) -> dict[int, Item]:
    items = content.get(name) or []
    if not isinstance(items, list):
        problems.append(Problem(Place(document.file, document.line(name)), f"{name}: a list is needed"))
        return {}
    found = {}
    for number, item in enumerate(items):
        try:
            found[number] = kind.model_validate(item)
        except ValidationError as error:
            for path, text in faults(error):
                place = Place(document.file, document.line(name, number, *path))
                problems.append(Problem(place, _told(kind, path, text)))
    return found


def _told(kind: type[BaseModel], path: Steps, text: str) -> str:
    if "Extra inputs" not in text:
        return text
    fields = (Origin if len(path) > 1 else kind).model_fields.items()
    return f"there is no {path[-1]!r} here{did_you_mean(str(path[-1]), [one.alias or name for name, one in fields])}"


def render_review(
    chosen: Sequence[Chosen],
    looked_at: int,
    period: tuple[datetime, datetime],
    titles: Mapping[str, str],
) -> str:
    """Return the file for a designer.

    Args:
        chosen: the messages, in the order in which they are shown.
        looked_at: how many messages they were chosen from.
        period: from when to when those were written.
        titles: the intents that there are, with what they are called.
    """
    since, until = (moment.date().isoformat() for moment in period)
    lines = _HEAD.format(count=len(chosen), looked_at=looked_at, since=since, until=until).splitlines()
    lines += [f"review: {FORMAT}", "", *_NEW.splitlines(), "", "messages:" if chosen else "messages: []"]
    for number, one in enumerate(chosen, start=1):
        lines += ["", *_entry(number, len(chosen), one)]
    lines += ["", "# The intents that there are:"]
    lines += [f"#   {intent:38} {title}".rstrip() for intent, title in sorted(titles.items())]
    return "\n".join(lines) + "\n"


def _entry(number: int, count: int, chosen: Chosen) -> Iterator[str]:
    said, triage = chosen.said, chosen.said.triage
    more = f"; stands for {chosen.alike} messages that say nearly the same" if chosen.alike > 1 else ""
    yield f"# {number} of {count}{more}"
    for kind, told in chosen.why:
        comment = said.comment if kind is Why.WRAP_UP else ""
        yield f"# {kind}: {told}{f': “{comment}”' if comment else ''}"
    if triage.ranking:
        guesses = ", ".join(f"{guess.name} {guess.confidence:.2f}" for guess in triage.ranking[:_GUESSES])
        yield f"# guesses: {guesses}; out of scope {triage.out_of_scope:.2f}"
    yield f"- text: {quoted(said.text)}"
    yield "  intent:"
    yield f"  # triage: {{{labels_of(_labels(triage))}}}"
    origin = {
        "message": quoted(said.message),
        "said": said.at.date().isoformat(),
        "channel": quoted(said.channel),
        "model": quoted(triage.model),
        "guess": quoted(triage.intent),
        "why": f"[{', '.join(dict.fromkeys(kind for kind, _ in chosen.why))}]",
    }
    yield f"  from: {{{', '.join(f'{name}: {value}' for name, value in origin.items())}}}"


def _labels(triage: Triage) -> Example:
    return Example(
        text="",
        complaint=triage.complaint >= 0.5,
        severity=triage.severity,
        sentiment=triage.sentiment,
        category=triage.categories,
        remedy=triage.remedies,
        urgency=triage.urgency,
    )


def labels_of(example: Example) -> str:
    """Return the labels of a sentence as they are written in a file of triage sentences."""
    one = {"complaint": str(example.complaint).lower(), "severity": example.severity, "sentiment": example.sentiment}
    several = {"category": example.category, "remedy": example.remedy, "urgency": example.urgency}
    given = {**one, **{name: _several(values) for name, values in several.items() if values}}
    return ", ".join(f"{name}: {value}" for name, value in given.items())


def _several(values: Iterable[str]) -> str:
    named = list(values)
    return named[0] if len(named) == 1 else f"[{', '.join(named)}]"


def quoted(text: str) -> str:
    """Return a text in YAML's double quotes."""
    return json.dumps(text, ensure_ascii=False)


_HEAD = """\
# {count} messages worth a label, of {looked_at} that customers wrote from {since} to {until}.
#
# How to use this file
# 1. Write the right intent after `intent:`. All intents are listed at the end. Leave it empty to decide another time.
# 2. Write `drop: true` into a message that should never be learnt nor shown again.
# 3. To teach complaint, severity, mood and the like, take the "# " away before `triage:` and correct what is wrong:
#      complaint: true or false        severity: none, disapproval, accusation or blame (none without a complaint)
#      sentiment: negative, neutral or positive
#      category:  delivery, product, billing, refund, service, website, account, privacy, store, other; several: [a, b]
#      remedy:    refund, replacement, repair, apology, information or compensation; or leave it out
#      urgency:   safety, legal, fraud, vulnerable, press or leaving; or leave it out
# 4. Write `golden: true` into a message with an intent to measure with it, instead of learning it.
# 5. Read each text that you label. What has a format was taken out and shows as [order_number] or [email]; names and
#    addresses in free text were not: replace them.
# 6. Then: frontdesk review import THIS_FILE
# Leave the `from:` lines as they are.
"""

_NEW = """\
# New questions: take the "# " away, write, and use the new intent in the messages below, too.
# new:
# - intent: faq/carrier_bags          # faq/… or chitchat/…
#   title: Carrier bags               # on a button
#   topic: stores                     # the file in nlu_data/faq; a new name makes a new file; chitchat has no topic
#   answer: "Our shops have paper bags for 20p."     # in our voice, see docs/voice.md
#   examples:                         # as customers write; 12 or more (5 at least), the messages below included
#   - do i have to bring my own bag
#   - whats a bag for life with you
#   golden:                           # to measure with, never to learn from; 3 or more, unlike the examples
#   - forgot my shopper, can i buy one at the till
"""
