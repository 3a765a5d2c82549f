"""A copy of the training data that a test may change."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import ROOT, frontdesk_here

TRIAGE = {"complaints_delivery.yml", "praise.yml"}
"""Two of the files of triage sentences: reading them all takes most of a test's time."""


@pytest.fixture
def nlu_data(tmp_path: Path) -> Path:
    """A folder of its own like `nlu_data`, with fewer triage sentences."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        return set(names) - TRIAGE if Path(folder).name == "triage" else set()

    return Path(shutil.copytree(ROOT / "nlu_data", tmp_path / "nlu_data", ignore=left_out))


@pytest.fixture
def review(tmp_path: Path, nlu_data: Path) -> Callable:
    """Imports a text as an edited review into the copy."""

    def run(text: str):
        file = tmp_path / "review.yml"
        file.write_text("review: 1\n" + text, encoding="utf-8")
        return frontdesk_here("review", "import", str(file), FRONTDESK_ASSISTANT__DATA=str(nlu_data))

    return run


@pytest.fixture
def files(nlu_data: Path) -> Callable:
    """Reads all files of the copy."""
    return lambda: {file.relative_to(nlu_data).as_posix(): file.read_text() for file in nlu_data.rglob("*.yml")}
