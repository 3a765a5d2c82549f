import io
import os
import re
import subprocess
import sys

from bot.cli.progress import Progress
from tests.running import ROOT


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_each_step_is_a_plain_line():
    out = io.StringIO()
    progress = Progress(out)
    progress.begin("worker", "loading the [assistant]")
    progress.done("worker")
    progress.say("frontdesk is ready: http://127.0.0.1:8080")
    progress.end()
    begun, done, ready = out.getvalue().splitlines()
    assert begun == "worker: loading the [assistant]"
    assert re.fullmatch(r"worker: ready \(\d+\.\d s\)", done)
    assert ready == "frontdesk is ready: http://127.0.0.1:8080"


def test_on_a_terminal_it_moves_until_it_is_done(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    progress = Progress(out)
    progress.begin("worker", "loading")
    progress.begin("worker", "still loading")
    progress.done("worker")
    progress.say("a line of its own")
    progress.end()
    told = out.getvalue()
    assert "\x1b[" in told
    assert "✓" in told
    assert "a line of its own" in told


def test_a_reader_who_has_gone_is_no_error():
    code = "import sys; from bot.cli.progress import Progress; p = Progress(); p.say('x'); p.say('y'); sys.exit(7)"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (7, b"")
