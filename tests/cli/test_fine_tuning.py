"""`frontdesk train --fine-tune`: what it says, and what it hands on to training."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.fine_tuning import shown, tuned_config
from bot.cli.process import Reporter
from bot.cli.rasa_config import read_components
from bot.conversation.errors import ConfigError
from bot.settings import AssistantSettings
from tests.running import ROOT, environment

CONFIG = """
pipeline:
- name: bot.nlu.components.IntentClassifier
  encoder: {intents}
- name: bot.nlu.components.TriageClassifier
  encoder: {triage}
"""


class Told(Reporter):
    """Keeps what would go to the log."""

    def __init__(self) -> None:
        super().__init__(None)
        self.lines: list[str] = []

    def status(self, text: str) -> None:
        self.lines.append(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_the_extra_training_goes_on_and_a_line_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jax", None)  # as good as not installed
    assistant = AssistantSettings()
    with tuned_config(assistant, Reporter(None)) as config:
        assert config == assistant.config
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("the encoder is not tuned: jax")
    assert err.endswith("not installed; get it with `uv sync --extra finetune`\n")


def test_the_command_without_the_extra_trains_and_prints_the_model(models):
    code = "import sys; sys.modules['jax'] = None; from bot.cli.app import run; run()"
    command = [sys.executable, "-c", code, "train", "--fine-tune"]
    env = environment(FRONTDESK_ASSISTANT__MODELS=str(models))
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert "the encoder is not tuned: jax" in done.stderr
    assert Path(done.stdout.strip()).parent == models


def test_without_a_terminal_the_progress_is_told_in_lines():
    reporter = Told()
    with shown(reporter, io.StringIO()) as progress:
        for step in range(1, 41):
            progress(step, 40, 0.5)
    assert reporter.lines == ["tuning the encoder: 100 %, 0 min left, loss 0.50"]


def test_on_a_terminal_it_is_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    reporter, out = Told(), Terminal()
    with shown(reporter, out) as progress:
        progress(20, 40, 0.25)
    assert reporter.lines == []
    assert "loss 0.25" in out.getvalue()
    assert "50%" in out.getvalue()


def test_the_shipped_pipeline_has_what_can_be_tuned():
    _, components = read_components(AssistantSettings().config)
    assert set(components) == {"IntentClassifier", "TriageClassifier"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CONFIG.format(intents="a", triage="b"), "encoders that differ"),
        ("pipeline:\n- name: bot.nlu.components.IntentClassifier\n", "no component 'TriageClassifier'"),
        ("pipeline:\n- {", "can't be read"),
        ("", "can't be read"),
    ],
)
def test_a_pipeline_that_cannot_be_tuned_is_told(tmp_path, text, told):
    file = tmp_path / "config.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_components(file)
