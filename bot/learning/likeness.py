"""How alike two sentences are, and which sentences of a large set are too alike."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from bot.learning.problems import Place

_APOSTROPHES = str.maketrans("", "", "'’‘`")
# Words, and every sign that carries meaning of its own, such as an emoji: a thumb up isn't a thumb down.
_TOKEN = re.compile(r"\w+|[^\w\s!-/:-@\[-`{-~£€…–—“”]")


class Sentence(Protocol):
    """Something that is said at a place."""

    @property
    def text(self) -> str:
        """What is said."""

    @property
    def place(self) -> Place:
        """Where."""


One = TypeVar("One", bound=Sentence)
Other = TypeVar("Other", bound=Sentence)


def tokens(text: str) -> frozenset[str]:
    """Return the words of a sentence without case, punctuation and order."""
    return frozenset(_words(text))


def normalised(text: str) -> str:
    """Return a sentence without case and punctuation."""
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold().translate(_APOSTROPHES))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of common words (0 to 1)."""
    return len(one & other) / len(one | other) if one | other else 0.0


def alike(sentences: Sequence[str], others: Sequence[str] | None = None, *, least: float) -> Iterator[tuple[str, str]]:
    """Yield pairs whose Jaccard index is `least` or more: within `sentences`, or each against `others`.

    Two sets this alike share one of the rarest few words of each, so only sentences that do are compared.
    Source: prefix filtering, Chaudhuri, Ganti and Kaushik (2006), "A primitive operator for similarity joins".
    """
    within = others is None
    known = [tokens(text) for text in (sentences if others is None else others)]
    asked = known if within else [tokens(text) for text in sentences]
    counts = Counter(word for words in [*known, *asked] for word in words)

    def prefix(words: frozenset[str]) -> list[str]:
        rarest_first = sorted(words, key=lambda word: (counts[word], word))
        return rarest_first[: len(words) - math.ceil(least * len(words) - 1e-9) + 1]

    places: dict[str, list[int]] = defaultdict(list)
    for index, words in enumerate(known):
        for word in prefix(words):
            places[word].append(index)
    for index, words in enumerate(asked):
        candidates = {place for word in prefix(words) for place in places[word] if not within or place < index}
        for place in sorted(candidates):
            if jaccard(words, known[place]) >= least - 1e-9:
                yield sentences[index], (sentences if others is None else others)[place]


def near(sentences: Sequence[One], others: Sequence[Other], *, least: float) -> Iterator[tuple[One, Other]]:
    """Yield the pairs of sentences and others, at different places, that are `alike`."""
    asked, known = defaultdict(list), defaultdict(list)
    for sentence in sentences:
        asked[sentence.text].append(sentence)
    for other in others:
        known[other.text].append(other)
    for text, like in alike(list(asked), list(known), least=least):
        yield from ((one, other) for one in asked[text] for other in known[like] if one.place != other.place)
