"""Rasa's own commands on the standard files, as a Rasa developer would run them."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

MAIN = "import sys; from bot.rasa_runtime import main; sys.exit(main(sys.argv[1:]))"


def rasa(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_validation_finds_nothing_in_the_shipped_files() -> None:
    done = rasa("data", "validate", "--max-history", "5")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_the_shipped_stories_pass_from_what_customers_write(trained_model: Path, tmp_path: Path) -> None:
    stories = str(ROOT / "tests" / "assistant" / "test_stories.yml")
    out = tmp_path / "results"
    done = rasa("test", "core", "--e2e", "--stories", stories, "-m", str(trained_model), "--out", str(out), "--no-plot")
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "story_report.json").read_text())
    assert report["conversation_accuracy"] == {"accuracy": 1.0, "correct": 4, "with_warnings": 0, "total": 4}


def test_a_wrong_command_is_told() -> None:
    done = rasa("nonsense")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr
