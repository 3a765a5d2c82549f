"""Measure entities on the golden messages.

An entity counts where kind, span, and (where the golden message gives one) value are right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from bench.bars import Figure, finish, parser
from bot.nlu.entities import EntityFinder

ROOT = Path(__file__).resolve().parent.parent
GOLDEN, PATTERNS = ROOT / "nlu_data" / "golden" / "entities.yml", ROOT / "nlu_data" / "entities"
BAR_PCT = 95.0


@dataclass(frozen=True)
class Count:
    """How many entities the golden messages hold, how many were found, and how many of those are right."""

    wanted: int = 0
    found: int = 0
    right: int = 0

    @property
    def f1_pct(self) -> float:
        """F1 in per cent; 100 where there was nothing to find and nothing was found."""
        both = self.wanted + self.found
        return 200 * self.right / both if both else 100.0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.wanted + other.wanted, self.found + other.found, self.right + other.right)


@dataclass(frozen=True)
class Miss:
    """A message in which something was overlooked or wrongly found, as `kind: text = value`."""

    text: str
    overlooked: tuple[str, ...]
    wrong: tuple[str, ...]


def judge(
    messages: Iterable[Mapping[str, Any]], finder: EntityFinder, today: date
) -> tuple[dict[str, Count], list[Miss]]:
    """Return the count of each kind and what went wrong where."""
    counts: dict[str, Count] = {}
    misses = []
    for message in messages:
        text = message["text"]
        wanted = _located(text, message.get("entities") or [])
        found = {(one.kind, one.start, one.end): one.value for one in finder.find(text, today)}
        right = {key for key in wanted.keys() & found.keys() if wanted[key] in (None, found[key])}
        for kind in {kind for kind, *_ in (*wanted, *found)}:
            sizes = [sum(key[0] == kind for key in keys) for keys in (wanted, found, right)]
            counts[kind] = counts.get(kind, Count()) + Count(*sizes)
        overlooked, wrong = (
            tuple(f"{kind}: {text[a:b]} = {keys[kind, a, b]}" for kind, a, b in sorted(keys.keys() - right))
            for keys in (wanted, found)
        )
        if overlooked or wrong:
            misses.append(Miss(text, overlooked, wrong))
    return counts, misses


def read(file: Path = GOLDEN) -> tuple[list[dict[str, Any]], date]:
    """Return the golden messages and the day that their dates count from."""
    golden = yaml.safe_load(file.read_text(encoding="utf-8"))
    return golden["messages"], golden["reference_date"]


def _located(text: str, entities: Iterable[Mapping[str, str]]) -> dict[tuple[str, int, int], str | None]:
    located, end = {}, 0
    for each in entities:
        start = text.index(each["text"], end)
        end = start + len(each["text"])
        located[each["kind"], start, end] = each.get("value")
    return located


def main() -> None:
    """Run the bench."""
    arguments = parser("Measure entities on the golden messages.")
    arguments.add_argument("--golden", type=Path, default=GOLDEN, help="other messages in the same form")
    arguments.add_argument("--misses", action="store_true", help="print every message that went wrong")
    chosen = arguments.parse_args()
    messages, today = read(chosen.golden)
    counts, misses = judge(messages, EntityFinder(PATTERNS), today)
    if chosen.misses:
        for miss in misses:
            print(miss.text, *(f"  overlooked  {each}" for each in miss.overlooked), sep="\n")
            print(*(f"  wrong       {each}" for each in miss.wrong), sep="\n")
    figures = [
        Figure(f"F1, {kind.replace('_', ' ')} ({counts[kind].wanted})", counts[kind].f1_pct, "%", digits=1)
        for kind in sorted(counts)
    ]
    together = sum(counts.values(), Count())
    figures.append(Figure(f"F1, all ({together.wanted})", together.f1_pct, "%", BAR_PCT, at_least=True, digits=1))
    finish(f"Entities, {len(messages)} golden messages", figures, chosen.json)


if __name__ == "__main__":
    main()
