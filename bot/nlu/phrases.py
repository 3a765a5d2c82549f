"""Find phrases that designers list, by spaCy's matchers.

How a phrase is written: words between spaces; `a|b` is either word and `(a b|c)` either group of words; what ends
in `?` may be missing; `..` stands for up to three words. Case does not matter, nor do apostrophes that people leave
out. With `plurals`, the last word may stand in the plural. Of phrases that overlap, the longest counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from bot.conversation.errors import ConfigError
from bot.nlu.slim_imports import slim_imports

GAP = ".."
_GAP_WORDS = 3
_MOST_VARIANTS = 1_000
_PARTS = re.compile(r"\([^()]*\)\??|\S+")


@lru_cache(maxsize=1)
def tokenizer() -> Any:
    """Return spaCy's English tokenizer, by itself.

    Not `spacy.blank("en")`: making a pipeline imports whatever is registered as a component in any installed package,
    here Presidio with transformers (47 MB and 3 s).
    """
    with slim_imports():
        from spacy.lang.en import English
        from spacy.tokenizer import Tokenizer
        from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex
        from spacy.vocab import create_vocab

    defaults = English.Defaults
    return Tokenizer(
        create_vocab("en", defaults),
        rules=defaults.tokenizer_exceptions,
        prefix_search=compile_prefix_regex(defaults.prefixes).search,
        suffix_search=compile_suffix_regex(defaults.suffixes).search,
        infix_finditer=compile_infix_regex(defaults.infixes).finditer,
        token_match=defaults.token_match,
        url_match=defaults.url_match,
    )


@dataclass(frozen=True)
class Found:
    """A phrase of a label, as character offsets."""

    label: str
    start: int
    end: int


class PhraseBook:
    """Phrases by label. Labels in `ignored` are found, and hide what they overlap, but not told."""

    def __init__(
        self,
        tokenize: Any,
        phrases: Mapping[str, Sequence[str]],
        ignored: Iterable[str] = (),
        plurals: bool = False,
        one_a_place: bool = True,
    ) -> None:
        """Build the matchers; without `one_a_place`, phrases of different labels may overlap.

        Raises:
            ConfigError: a phrase is empty or stands for too many variants.
        """
        with slim_imports():
            from spacy.matcher import Matcher, PhraseMatcher

        self._exact, self._gapped = PhraseMatcher(tokenize.vocab, attr="LOWER"), Matcher(tokenize.vocab)
        self._ignored, self._one_a_place = frozenset(ignored), one_a_place
        self._strings = tokenize.vocab.strings
        for label, written in phrases.items():
            variants = {variant for phrase in written for variant in _variants(phrase, plurals)}
            plain = [tokenize(variant) for variant in sorted(variants) if GAP not in variant.split()]
            if plain:
                self._exact.add(label, plain)
            gapped = [_pattern(tokenize, variant) for variant in sorted(variants) if GAP in variant.split()]
            if gapped:
                self._gapped.add(label, gapped)

    def find(self, doc: Any) -> list[Found]:
        """Return the phrases of a spaCy doc, from left to right."""
        matches = [*self._exact(doc), *(self._gapped(doc) if len(self._gapped) else ())]
        taken: list[tuple[int, int, str]] = []
        for key, start, end in sorted(matches, key=lambda match: (match[1] - match[2], match[1])):
            label = self._strings[key]
            rivals = (other for first, last, other in taken if start < last and first < end)
            if not any(self._one_a_place or other == label or other in self._ignored for other in rivals):
                taken.append((start, end, label))
        return [
            Found(label, doc[start].idx, doc[end - 1].idx + len(doc[end - 1]))
            for start, end, label in sorted(taken)
            if label not in self._ignored
        ]


def _variants(phrase: str, plurals: bool) -> Iterator[str]:
    """Return every plain phrase that a written one stands for, gaps left in."""
    words = _PARTS.findall(phrase.lower())
    if not words or words[0] == GAP or words[-1] == GAP:
        raise ConfigError(f"entities: a phrase must begin and end with a word: {phrase!r}")
    choices = []
    for word in words:
        options = word.removesuffix("?").strip("()").split("|")
        choices.append([*options, ""] if word.endswith("?") else options)
    if plurals:
        choices[-1] = [form for option in choices[-1] for form in (option, *_plurals(option))]
    count = 1
    for options in choices:
        count *= len(options)
    if count > _MOST_VARIANTS:
        raise ConfigError(f"entities: a phrase stands for {count} variants, write several: {phrase!r}")
    for chosen in product(*choices):
        plain = " ".join(" ".join(chosen).split())
        if plain:
            yield plain
            if "'" in plain:
                yield plain.replace("'", "")


def _plurals(word: str) -> list[str]:
    if not word or word.endswith("s"):
        return []
    if word.endswith(("x", "ch", "sh")):
        return [word + "es"]
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return [word[:-1] + "ies"]
    return [word + "s"]


def _pattern(tokenize: Any, variant: str) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for word in variant.split():
        if word == GAP:
            pattern += [{"OP": "?"}] * _GAP_WORDS
        else:
            pattern += [{"LOWER": token.lower_} for token in tokenize(word)]
    return pattern
