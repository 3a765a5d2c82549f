"""docs/triage.md tells what the code does."""

import re

from bot.channels.text import MAX_CHARS as LONGEST
from bot.cli.rasa_config import read_thresholds
from bot.conversation.triage import Severity
from bot.nlu.text import MAX_CHARS
from bot.triage.api import MAX_TEXTS
from bot.triage.checkpoint import SUFFIX
from bot.triage.job import BATCH
from bot.triage.output import FIELDS, OWN
from bot.triage.service import IDLE_S, MOST_WAITING, PATIENCE_S
from tests.running import ROOT

PAGE = (ROOT / "docs" / "triage.md").read_text(encoding="utf-8")


def test_the_table_of_fields_is_the_one_that_is_written():
    table = PAGE.partition("| field | meaning |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*FIELDS, OWN]


def test_the_numbers_are_the_ones_in_the_code():
    assert f"every batch of {BATCH} rows" in PAGE
    assert f"the first {MAX_CHARS:,} characters" in PAGE
    assert f"`OUT{SUFFIX}`" in PAGE
    assert f"takes 1 to {MAX_TEXTS} texts" in PAGE
    assert f"more than {LONGEST:,} characters" in PAGE
    assert (MOST_WAITING, PATIENCE_S, IDLE_S) == (8, 30, 600)
    assert "eight requests wait already, it took more than 30 seconds" in PAGE
    assert "ends after ten minutes without one" in PAGE.replace("\n", " ")


def test_the_probabilities_from_which_a_complaint_counts_are_the_shipped_ones():
    limits = read_thresholds(ROOT / "config.yml")
    assert f"a complaint with blame (probability from {limits.complaint[Severity.BLAME]:.2f} on)" in PAGE
    assert f"any other complaint (from {limits.unanswered_complaint:.2f} on)" in PAGE
    assert f"any complaint is P3 from a\nprobability of {limits.unanswered_complaint:.2f} on" in PAGE
