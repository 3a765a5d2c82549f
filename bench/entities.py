"""Measure entities on the golden messages.

An entity counts where kind, span, and (where the golden message gives one) value are right.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.bars import Figure, finish, parser
from bot.conversation.triage import Entity
from bot.learning.golden import ENTITIES_FILE, Golden, Span, read_golden, right_entities
from bot.nlu.entities import EntityFinder

ROOT = Path(__file__).resolve().parent.parent
GOLDEN, PATTERNS = ROOT / "nlu_data" / "golden", ROOT / "nlu_data" / "entities"
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


def judge(golden: Golden, finder: EntityFinder) -> tuple[dict[str, Count], list[Miss]]:
    """Return the count of each kind and what went wrong where."""
    counts: dict[str, Count] = {}
    misses = []
    for text, wanted in zip(golden.texts[ENTITIES_FILE], golden.entities, strict=True):
        found = finder.find(text, golden.today)
        right = right_entities(found, wanted)
        spans = {_span(one) for one in right}
        for kind in {one.kind for one in (*wanted, *found)}:
            sizes = [sum(one.kind == kind for one in each) for each in (wanted, found, right)]
            counts[kind] = counts.get(kind, Count()) + Count(*sizes)
        overlooked, wrong = (
            tuple(f"{one.kind}: {text[one.start : one.end]} = {one.value}" for one in each if _span(one) not in spans)
            for each in (wanted, found)
        )
        if overlooked or wrong:
            misses.append(Miss(text, overlooked, wrong))
    return counts, misses


def _span(one: Entity | Span) -> tuple[str, int, int]:
    return one.kind, one.start, one.end


def main() -> None:
    """Run the bench."""
    arguments = parser("Measure entities on the golden messages.")
    arguments.add_argument("--golden", type=Path, default=GOLDEN, help=f"another folder with {ENTITIES_FILE}")
    arguments.add_argument("--misses", action="store_true", help="print every message that went wrong")
    chosen = arguments.parse_args()
    golden = read_golden(chosen.golden)
    counts, misses = judge(golden, EntityFinder(PATTERNS))
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
    finish(f"Entities, {len(golden.texts[ENTITIES_FILE])} golden messages", figures, chosen.json)


if __name__ == "__main__":
    main()
