"""`frontdesk data check`."""

import json
import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bot.cli.tables import print_table
from bot.conversation.errors import BadInput
from bot.learning.cross_validation import cross_validate
from bot.learning.data_check import examine
from bot.learning.domain import read_domain
from bot.learning.findings import Finding, Kind, Level
from bot.learning.training_data import read_training_data
from bot.nlu.encoder import CACHE, shared_encoder
from bot.settings import Settings

MOST = 15
"""Findings of a kind that are shown; `--json` has all."""
_PLACES = 2


def check_data(settings: Settings, as_json: bool) -> None:
    """Print what is wrong with the training data, or may be.

    Raises:
        BadInput: there are errors.
        ConfigError: a file can't be read at all.
    """
    data = read_training_data(settings.assistant.data)
    domain = read_domain(settings.assistant.domain, list(data.documents.values()))
    console = Console(stderr=True)
    with console.status("reading", spinner="dots") as status:
        found = examine(data, domain)
        found += cross_validate(data.phrases, data.triage, shared_encoder(None, CACHE), status.update)
    levels = Counter(finding.level for finding in found)
    errors, warnings = levels[Level.ERROR], levels[Level.WARNING]
    if as_json:
        print(json.dumps({"errors": errors, "warnings": warnings, "findings": [_json(one) for one in found]}, indent=2))
    else:
        _show(found)
        golden = len(data.golden_phrases) + len(data.golden_triage)
        print(
            f"{len(data.phrases)} examples of {len(data.intents)} intents, {len(data.triage)} triage sentences,"
            f" {golden} golden messages: {errors} errors, {warnings} warnings"
        )
    sys.stdout.flush()
    if errors:
        raise BadInput("the training data has errors" if errors > 1 else "the training data has an error")


def _show(found: Sequence[Finding]) -> None:
    table = Table("level", "kind", "what", "for example", "where", box=None, pad_edge=False)
    shown: Counter[tuple[Kind, str]] = Counter()
    for finding in found:
        shown[finding.kind, finding.head] += 1
        if shown[finding.kind, finding.head] > MOST:
            continue
        places = [str(place) for place in finding.places]
        more = [f"and {len(places) - _PLACES} more"] if len(places) > _PLACES else []
        examples = "; ".join(finding.examples)
        table.add_row(finding.level, finding.kind, finding.text, examples, ", ".join([*places[:_PLACES], *more]))
    for (kind, head), count in shown.items():
        if count > MOST:
            table.add_row("", kind, f"and {count - MOST} more{f' of {head}' if head else ''}; --json has all", "", "")
    if found:
        print_table(table)


def _json(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "kind": finding.kind,
        "head": finding.head,
        "text": finding.text,
        "places": [{"file": str(place.file), "line": place.line} for place in finding.places],
        "examples": finding.examples,
    }
