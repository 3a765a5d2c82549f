"""Rasa's own commands on the standard files, as a Rasa developer would run them."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.channels.serving import free_port
from tests.conftest import ROOT

MAIN = "import json, sys; from bot.rasa_runtime import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"
"""Several commands in one process: it takes seconds to import what they need."""


def rasa(*commands: str, said: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, json.dumps([each.split() for each in commands])]
    return subprocess.run(command, input=said, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_the_shipped_files_are_valid_and_can_be_drawn(tmp_path: Path) -> None:
    done = rasa("data validate --max-history 5", f"visualize --out {tmp_path}/stories.html")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stdout + done.stderr
    assert "Validation found no errors." in done.stdout
    assert "utter_" in (tmp_path / "stories.html").read_text()


def test_the_shipped_stories_pass_from_what_customers_write(trained_model: Path, tmp_path: Path) -> None:
    stories, out = ROOT / "tests" / "assistant" / "test_stories.yml", tmp_path / "results"
    done = rasa(f"test core --e2e --stories {stories} -m {trained_model} --out {out} --no-plot")
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "story_report.json").read_text())
    assert report["conversation_accuracy"] == {"accuracy": 1.0, "correct": 4, "with_warnings": 0, "total": 4}


def test_one_can_talk_to_the_assistant_and_nobody_else_can(trained_model: Path) -> None:
    done = rasa(f"shell -m {trained_model} -p {free_port()}", said="how long is delivery?\n/stop\n")
    assert done.returncode == 0, done.stderr
    assert "3 to 5 working days" in done.stdout
    assert re.findall(r"Starting Rasa server on http://([\d.]+)", done.stderr) == ["127.0.0.1"]


def test_a_wrong_command_is_told() -> None:
    done = rasa("nonsense")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr
