import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.embedded import launch

START = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", {launch!r}, "--parent", str(os.getpid()), "--signal", "9", "--",
                          "/bin/sleep", "600"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
"""
WATCHED = """
import os, sys
sys.path.insert(0, {folder!r})
import launch
launch.watch_stdin(9)
print(os.getpid(), flush=True)
os.execv("/bin/sleep", ["/bin/sleep", "600"])
"""


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_ends_when_its_parent_is_killed():
    code = START.format(launch=launch.__file__)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.kill()
        wait_for_end(pid)


def test_a_program_that_starts_after_its_parent_ended_ends_at_once():
    done = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, "--parent", "1", "--signal", "9", "--", "/bin/sleep", "600"],
        stdin=subprocess.DEVNULL,
        timeout=10,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


def test_a_watcher_ends_a_program_when_its_input_closes():
    code = WATCHED.format(folder=str(Path(launch.__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert runs(int(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the account")
def test_another_account_reaches_a_closed_folder_without_any_permission_being_changed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("x")
    command = ["/bin/sh", "-c", f"id -u; cat {closed}/file"]
    start = [sys.executable, "-I", "-S", launch.__file__, "--parent", "0", "--uid", "65534", "--gid", "65534"]
    kept = subprocess.run([*start, f"--needs={closed}", "--", *command], capture_output=True, text=True, check=True)
    assert kept.stdout.split() == ["65534", "x"]
    dropped = subprocess.run([*start, "--needs=/", "--", *command], capture_output=True, text=True, check=False)
    assert dropped.stdout.split() == ["65534"]
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_program_that_is_not_there_is_told_in_one_line():
    done = subprocess.run(
        [sys.executable, "-I", "-S", launch.__file__, "--parent", "1", "--", "/no/such/program"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("/no/such/program can't be started: ")
    assert len(done.stderr.splitlines()) == 1
