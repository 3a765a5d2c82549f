"""More texts of few: what no label is needed for may be of parts that nobody wrote one after the other."""

import re
from collections.abc import Sequence

import numpy as np

from bot.nlu.text import HANDLE, LINK

_BETWEEN = re.compile(r"(?<=[.!?…,;:])\s+|\s+(?=(?:but|and|because|so|when|after|while|which|since|if|then|or)\s)")
"""Where a clause ends."""
_SHORTEST = 3
"""Letters of a clause that is used."""
_PUBLIC = (HANDLE + " {}", "{} " + LINK, "{} {}")
"""What public messages have about them: a handle, a link, a hashtag."""
_PUBLIC_SHARE = 0.25


def varied(texts: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Return the prepared texts and, up to a `count`, others: clauses mixed, words left out or changed, cut, joined."""
    return [*texts, *_Mixer(texts, random).some(count - len(texts))]


class _Mixer:
    """Makes texts of the parts of others."""

    def __init__(self, texts: Sequence[str], random: np.random.Generator) -> None:
        """Take the texts apart."""
        self._texts, self._random = texts, random
        self._clauses = [clause for text in texts for clause in _clauses(text)]
        self._words = [word for text in texts for word in text.split()]
        self._vocabulary = sorted(set(self._words))

    def some(self, count: int) -> list[str]:
        """Return so many texts."""
        return [self._public(self._mixed(self._one_of(self._texts))) for _ in range(count)]

    def _mixed(self, text: str) -> str:
        chance, words = self._random.random(), text.split()
        if chance < 0.35:
            clauses = _clauses(text) or [text]
            clauses[int(self._random.integers(len(clauses)))] = self._one_of(self._clauses)
            return " ".join(clauses if len(clauses) > 1 else [text, *clauses])
        if chance < 0.5:
            return " ".join(self._one_of(self._clauses) for _ in range(self._random.integers(1, 4)))
        if chance < 0.65:
            return " ".join(word for word in words if self._random.random() > 0.15) or text
        if chance < 0.8:
            return " ".join(self._other() if self._random.random() < 0.2 else word for word in words)
        if chance < 0.9 and len(words) > 4:
            start = int(self._random.integers(len(words) - 3))
            return " ".join(words[start : start + int(self._random.integers(3, len(words)))])
        return f"{text} {self._one_of(self._texts)}"

    def _public(self, text: str) -> str:
        if self._random.random() > _PUBLIC_SHARE:
            return text
        return self._one_of(_PUBLIC).format(text, self._one_of(self._vocabulary).strip(".,!?"))

    def _other(self) -> str:
        """Return a word, as often as it is used or not."""
        return self._one_of(self._words if self._random.random() < 0.5 else self._vocabulary)

    def _one_of(self, given: Sequence[str]) -> str:
        return given[int(self._random.integers(len(given)))]


def _clauses(text: str) -> list[str]:
    return [clause for clause in _BETWEEN.split(text) if len(clause) >= _SHORTEST]
