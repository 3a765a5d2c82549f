"""docs/security.md tells what the code does."""

import re

import pytest

from bot.settings import DeskSettings
from handoff.credentials import MAX_CHARS, MIN_CHARS
from handoff.roles import RIGHTS, Right
from handoff.tables import Role
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("right", list(Right))
def test_the_table_of_rights_is_the_one_in_the_code(right: Right) -> None:
    header, row = (
        next(line for line in TEXT.splitlines() if line.startswith(f"| {word} |")) for word in ("right", right)
    )
    roles = [cell.strip() for cell in header.split("|")[3:-1]]
    told = {role: cell.strip() == "yes" for role, cell in zip(roles, row.split("|")[3:-1], strict=True)}
    assert told == {str(role): right in RIGHTS[role] for role in Role}


def test_the_numbers_are_the_ones_in_the_code() -> None:
    desk = DeskSettings()
    words = re.sub(r"\s+", " ", TEXT)
    assert (
        f"failures in a row ({desk.lock_after}) lock an account for `desk.lock_minutes` ({desk.lock_minutes:.0f})"
        in words
    )
    assert f"`desk.session_hours` ({desk.session_hours:.0f})" in words
    assert f"{MIN_CHARS} to {MAX_CHARS} characters" in words
