"""How far two annotators of the golden messages agree on severity."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from bench.bars import Figure, finish, parser
from bot.conversation.triage import Severity

GOLDEN = Path(__file__).resolve().parent.parent / "nlu_data" / "golden"
STEPS = tuple(Severity)


def agreement(pairs: Sequence[tuple[Severity, Severity]]) -> float:
    """Return the share of pairs with the same label."""
    return sum(first == second for first, second in pairs) / len(pairs)


def kappa(pairs: Sequence[tuple[Severity, Severity]], quadratic: bool = False) -> float:
    """Return Cohen's kappa: the agreement beyond chance; with `quadratic`, by the square of the steps between labels.

    1 where everything has one label. Source: Cohen (1960); weighted, Cohen (1968).
    """

    def far(first: Severity, second: Severity) -> int:
        return (STEPS.index(first) - STEPS.index(second)) ** 2 if quadratic else int(first != second)

    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    seen = sum(far(*pair) for pair in pairs)
    by_chance = sum(far(a, b) * firsts[a] * seconds[b] for a in firsts for b in seconds) / len(pairs)
    return 1 - seen / by_chance if by_chance else 1.0


def opinions(folder: Path = GOLDEN) -> Iterable[tuple[Severity, Severity, bool]]:
    """Return what each of the two said of every golden message, and whether that is a complaint."""
    differences = yaml.safe_load((folder / "severity.yml").read_text(encoding="utf-8"))["differences"]
    different = {each["text"]: (Severity(each["first"]), Severity(each["second"])) for each in differences}
    messages = yaml.safe_load((folder / "triage.yml").read_text(encoding="utf-8"))["messages"]
    for message in messages:
        settled = Severity(message["severity"])
        yield (*different.pop(message["text"], (settled, settled)), message["complaint"])
    if different:
        raise ValueError(f"severity.yml names messages that triage.yml does not hold: {', '.join(different)}")


def main() -> None:
    """Run the bench."""
    chosen = parser("Measure how far two annotators agree on the severity of the golden messages.").parse_args()
    said = list(opinions())
    figures = []
    for name, rows in (("all", said), ("complaints", [one for one in said if one[2]])):
        pairs = [(first, second) for first, second, _ in rows]
        figures += [
            Figure(f"same label, {name} ({len(pairs)})", 100 * agreement(pairs), "%", digits=1),
            Figure(f"kappa, {name}", kappa(pairs)),
            Figure(f"kappa, quadratic weights, {name}", kappa(pairs, quadratic=True)),
        ]
    finish("Severity, two annotators", figures, chosen.json)


if __name__ == "__main__":
    main()
