"""docs/triage.md tells what the code does."""

import re

from bot.nlu.text import MAX_CHARS
from bot.triage.checkpoint import SUFFIX
from bot.triage.job import BATCH
from bot.triage.output import FIELDS, OWN
from tests.running import ROOT

PAGE = (ROOT / "docs" / "triage.md").read_text(encoding="utf-8")


def test_the_table_of_fields_is_the_one_that_is_written():
    table = PAGE.partition("| field | meaning |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*FIELDS, OWN]


def test_the_numbers_are_the_ones_in_the_code():
    assert f"every batch of {BATCH} rows" in PAGE
    assert f"the first {MAX_CHARS:,} characters" in PAGE
    assert f"`OUT{SUFFIX}`" in PAGE
