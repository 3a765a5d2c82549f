"""A real `frontdesk up` in a folder of its own, and its commands."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from unittest import mock

from bot.cli.app import run

ROOT = Path(__file__).parent.parent
START_S = 180.0


def environment(**more: str) -> dict[str, str]:
    """Return the environment of this process without what would set Frontdesk's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRONTDESK_")}
    for name in ("REDIS_URL", "DATABASE_URL"):
        kept.pop(name, None)
    return kept | more


def frontdesk(
    *arguments: str, timeout_s: float = 180.0, cwd: Path = ROOT, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=cwd,
        env=environment(**variables) | {"PYTHONPATH": str(ROOT)},
        check=False,
    )


def frontdesk_here(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, which spares the seconds of importing everything anew."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.dict(os.environ, environment(**variables), clear=True),
        mock.patch.object(sys, "argv", ["frontdesk", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        ThreadPoolExecutor(1) as thread,  # commands run an event loop of their own, and a test may be in one
    ):
        code = thread.submit(_exit_code).result()
    told = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *told)


def _exit_code() -> int:
    try:
        run()
    except SystemExit as end:
        return end.code


def processes_of(data: Path) -> dict[int, str]:
    """Return the processes whose command line names the data folder (Linux)."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(data) in command and state != "Z" and int(entry.name) != os.getpid():
            found[int(entry.name)] = command
    return found


class Installation:
    """A running installation.

    Args:
        data: its data folder.
        variables: settings as environment variables.
    """

    def __init__(self, data: Path, **variables: str) -> None:
        self.data = data
        self.variables = variables
        self.url = ""
        self.admin_password = ""
        self.out: list[str] = []
        self.err: list[str] = []
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.out.clear()
        self.err.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "up", "--data", str(self.data), "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(**self.variables),
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=_collect, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        self.wait_for(lambda: any("frontdesk is ready" in line for line in self.out), START_S)
        self.url = self.out[-1].removeprefix("frontdesk is ready: ")
        for line in self.out:
            if found := re.search(r"one-time password (\S+)", line):
                self.admin_password = found.group(1)
        return self

    def wait_for(self, condition, timeout_s: float = 60.0):
        """Wait until `condition` gives something true, and return that; fails at once if the installation ends."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            text = "\n".join([*self.out, *self.err])
            assert self.process.poll() is None, f"frontdesk up ended:\n{text}"
            assert time.monotonic() < deadline, f"it did not come true in {timeout_s} s:\n{text}"
            time.sleep(0.02)
        return value

    def stop(self, signum: signal.Signals = signal.SIGINT, timeout_s: float = 60.0) -> int:
        """Stop it as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        return code

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        return frontdesk_here(*arguments, "--data", str(self.data), **self.variables)

    def token(self, role: str = "agent") -> str:
        """Return an API token with a role."""
        if role not in self._tokens:
            done = self.run("token", "create", "--role", role)
            assert done.returncode == 0, done.stderr
            self._tokens[role] = done.stdout.splitlines()[-1]
        return self._tokens[role]

    def add_user(self, name: str, role: str = "agent") -> str:
        """Add a user and return the one-time password."""
        done = self.run("user", "add", name, "--role", role)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    def pid_of(self, name: str) -> int:
        """Return the process id of a child: web, worker, sender, redis-server or postgres."""
        programs = {"redis": "redis-server", "postgres": "bin/postgres -D"}
        mark = programs.get(name, f"bot.cli {name} ")
        return self.wait_for(
            lambda: next((pid for pid, command in processes_of(self.data).items() if mark in command), None)
        )


def _collect(stream, lines: Sequence[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))
