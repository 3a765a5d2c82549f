"""`frontdesk data check`."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from textwrap import fill, shorten

from rich.console import Console

from bot.cli.rasa_config import read_components
from bot.conversation.errors import BadInput
from bot.learning.cross_validation import cross_validate
from bot.learning.data_check import examine
from bot.learning.domain import read_domain
from bot.learning.findings import Finding, Kind, Level
from bot.learning.training_data import read_training_data
from bot.nlu.encoder import configured_encoder
from bot.settings import Settings

MOST = 15
"""Findings of a kind and a head that are shown; `--json` has all."""
WIDE, LEAST = 100, 30
"""Columns of a line, and of a sentence in it, however long the path of its file is."""


def check_data(settings: Settings, as_json: bool) -> None:
    """Print what is wrong with the training data, or may be.

    Raises:
        BadInput: there are errors.
        ConfigError: a file can't be read at all, or config.yml names no encoder that can be used.
    """
    data = read_training_data(settings.assistant.data)
    domain = read_domain(settings.assistant.domain, list(data.documents.values()))
    _, components = read_components(settings.assistant.config)
    encoder = configured_encoder(components["IntentClassifier"])
    console = Console(stderr=True)
    with console.status("reading", spinner="dots") as status:
        found = examine(data, domain)
        found += cross_validate(data.phrases, data.triage, encoder, status.update)
    levels = Counter(finding.level for finding in found)
    errors, warnings = levels[Level.ERROR], levels[Level.WARNING]
    if as_json:
        print(json.dumps({"errors": errors, "warnings": warnings, "findings": [_json(one) for one in found]}, indent=2))
    else:
        show(found)
        golden = len(data.golden_phrases) + len(data.golden_triage)
        print(
            f"{len(data.phrases)} examples of {len(data.intents)} intents, {len(data.triage)} triage sentences,"
            f" {golden} golden messages: {errors} errors, {warnings} warnings"
        )
    sys.stdout.flush()
    if errors:
        raise BadInput("the training data has errors" if errors > 1 else "the training data has an error")


def show(found: Sequence[Finding]) -> None:
    """Print findings by their kind; what several heads say of the same sentences is one of them."""
    kinds: dict[tuple[Level, Kind], dict[object, list[Finding]]] = {}
    for finding in found:
        about = finding.places if finding.head else finding
        kinds.setdefault((finding.level, finding.kind), {}).setdefault(about, []).append(finding)
    for (level, kind), groups in kinds.items():
        print(f"{level}: {kind}")
        counts: Counter[str] = Counter()
        for first, *others in groups.values():
            counts[first.head] += 1
            if counts[first.head] <= MOST:
                _show_one(first, "; ".join(one.text for one in (first, *others)))
        for head, count in counts.items():
            if count > MOST:
                print(f"  and {count - MOST} more{f' of {head}' if head else ''}; --json has all")
        print()


def _show_one(finding: Finding, told: str) -> None:
    print(fill(told, WIDE, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
    shown = max(len(finding.examples), 1)
    for place, example in zip_longest(finding.places[:shown], finding.examples, fillvalue=""):
        line = f"    {place}  "
        print((line + shorten(example, max(LEAST, WIDE - len(line)), placeholder="…")).rstrip())
    if len(finding.places) > shown:
        print(f"    and {len(finding.places) - shown} more")


def _json(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "kind": finding.kind,
        "head": finding.head,
        "text": finding.text,
        "places": [{"file": str(place.file), "line": place.line} for place in finding.places],
        "examples": finding.examples,
    }
