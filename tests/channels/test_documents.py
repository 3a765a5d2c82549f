"""docs/channels.md says what there is."""

import re
from typing import get_args

from bot.channels.text import MAX_CHARS
from bot.channels.web import FILES
from bot.channels.web_chat import MAX_SOCKETS
from bot.channels.web_protocol import Frame
from bot.channels.web_socket import SILENCE_S
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "channels.md").read_text()
SCRIPT = (FILES / "widget.js").read_text()


def test_every_option_of_the_widget_is_described() -> None:
    assert set(re.findall(r"^\| `data-(\w+)`", TEXT, re.MULTILINE)) == set(re.findall(r"\boption\.(\w+)", SCRIPT))


def test_every_frame_is_described() -> None:
    described = set(re.findall(r"^\| widget \| `(\w+)`", TEXT, re.MULTILINE))
    union = Frame.model_fields["frame"].annotation
    assert described == {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(union)}
    server = set(re.findall(r"^\| server \| `(\w+)`", TEXT, re.MULTILINE))
    said = {
        word for file in ROOT.glob("bot/channels/web_*.py") for word in re.findall(r'"type": "(\w+)"', file.read_text())
    }
    assert server == said


def test_the_limits_are_those_of_the_code() -> None:
    assert f"up to {MAX_CHARS:,} characters" in TEXT
    assert f"{MAX_SOCKETS} open sockets" in TEXT
    assert f"silent for {SILENCE_S:.0f} is closed" in TEXT
