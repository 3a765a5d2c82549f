"""Keeps child processes running: starts them, notices when they are ready or end, starts them again, stops them.

One thread, one loop. Decisions take `now`; the caller calls `step` until it wants to stop.
"""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bot.conversation.errors import FrontdeskError
from bot.embedded.server import LOG_BYTES, end, last_line, open_log

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A child that was ready for this long is not to blame for earlier failures."""
CONFIG_EXIT = 78
"""Exit code of a child whose settings or files are wrong. Source: EX_CONFIG of sysexits.h."""
ROTATE_EVERY_S = 60.0


class State(StrEnum):
    """Where a child stands."""

    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    DONE = "done"


@dataclass
class Child:
    """A process to keep running.

    Args:
        name: what people see.
        command: the command line; it is given the descriptor on which the child says `ready`.
        log: the file for what the child prints.
        ready: asked instead, by children that can't say it themselves.
        prepare: done before each start.
        stage: children of a lower stage are stopped first.
        stop_signal: asks it to end.
        once: it does its work and ends.
        fds: descriptors that it is given.
    """

    name: str
    command: Callable[[int], list[str]]
    log: Path
    ready: Callable[[], bool] | None = None
    prepare: Callable[[], None] | None = None
    stage: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    once: bool = False
    fds: tuple[int, ...] = ()
    state: State = State.IDLE
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    failures: int = 0
    since: float = 0.0
    due: float = 0.0
    pipe: int | None = None
    unread: bytes = b""


class Listener(Protocol):
    """Who is told what happens."""

    def ready(self, child: Child) -> None:
        """Learn that a child is ready, or has done its work."""

    def said(self, child: Child, kind: str, text: str) -> None:
        """Learn what a child said on its pipe: a `status` or a `notice`."""

    def ended(self, child: Child, code: int, reason: str, pause_s: float) -> None:
        """Learn that a child ended; it is started again after a pause."""


def pause_s(failures: int) -> float:
    """Return the pause before a start, after so many failures in a row."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(10, max(0, failures - 1)))


def describe(code: int, log: Path) -> str:
    """Return why a child ended: its exit code or signal, and the last line of its log."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"{signal.Signals(-code).name}; its log ends: {last_line(log)}"
    return f"exit code {code}; its log ends: {last_line(log)}"


class Supervisor:
    """Runs children until it is told to stop.

    Args:
        listener: is told what happens.
        inherited: a descriptor that every child gets, the lock of the data folder.
    """

    def __init__(self, listener: Listener, inherited: tuple[int, ...] = ()) -> None:
        self.children: list[Child] = []
        self._listener = listener
        self._inherited = inherited
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = os.pipe()
        for descriptor in (self._wake, self._woken):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._old_wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        self._old_chld = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._rotated = time.monotonic()

    def add(self, child: Child) -> Child:
        """Start a child and keep it running."""
        self.children.append(child)
        self._start(child, time.monotonic())
        return child

    def step(self) -> None:
        """Wait a moment for something to happen, and deal with it."""
        waiting = any(child.state is State.STARTING and child.ready for child in self.children)
        due = [child.due for child in self.children if child.state is State.PAUSED]
        wait_s = 0.05 if waiting else min([1.0, *(max(0.0, at - time.monotonic()) for at in due)])
        for key, _ in self._selector.select(wait_s):
            if key.fileobj == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            else:
                self._read(key.data)
        now = time.monotonic()
        for child in self.children:
            self._look_at(child, now)
        if now - self._rotated > ROTATE_EVERY_S:
            self._rotated = now
            for child in self.children:
                _rotate(child.log)

    def stop(self, hurry: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """End all children, one stage after the other; by force when one takes too long or `hurry` says so."""
        for stage in sorted({child.stage for child in self.children}):
            running = [child for child in self.children if child.stage == stage and child.process]
            for child in running:
                if child.process and child.process.poll() is None:
                    child.process.send_signal(child.stop_signal)
            deadline = time.monotonic() + timeout_s
            while any(child.process and child.process.poll() is None for child in running):
                if time.monotonic() > deadline or hurry():
                    break
                time.sleep(0.01)
            for child in running:
                if child.process:
                    end(child.process, signal.SIGKILL)
                    _sweep(child.process)
                self._forget_pipe(child)
                child.process = None

    def close(self) -> None:
        """Give back what the supervisor itself holds; all children must have been stopped."""
        signal.signal(signal.SIGCHLD, self._old_chld)
        signal.set_wakeup_fd(self._old_wakeup)
        self._selector.close()
        os.close(self._wake)
        os.close(self._woken)

    def _start(self, child: Child, now: float) -> None:
        if child.prepare:
            child.prepare()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            with open_log(child.log) as log:
                child.process = subprocess.Popen(  # noqa: S603
                    child.command(writing),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(writing, *child.fds, *self._inherited),
                )
        finally:
            os.close(writing)
        child.pipe, child.unread = reading, b""
        self._selector.register(reading, selectors.EVENT_READ, child)
        child.state, child.since = State.STARTING, now

    def _read(self, child: Child) -> None:
        if child.pipe is None:
            return
        try:
            data = os.read(child.pipe, 65536)
        except BlockingIOError:
            return
        if not data:
            self._forget_pipe(child)
            return
        *lines, child.unread = (child.unread + data).split(b"\n")
        for line in lines:
            kind, _, text = line.decode(errors="replace").partition(" ")
            if kind == "ready" and child.state is State.STARTING:
                self._is_ready(child)
            elif kind in ("status", "notice"):
                self._listener.said(child, kind, text)

    def _look_at(self, child: Child, now: float) -> None:
        if child.state is State.PAUSED and now >= child.due:
            try:
                self._start(child, now)
            except (FrontdeskError, OSError) as error:
                self._failed(child, 1, str(error), now)
        if child.process is None:
            return
        code = child.process.poll()
        if code is not None:
            self._read(child)
            self._has_ended(child, code, now)
        elif child.state is State.STARTING and child.ready and child.ready():
            self._is_ready(child)

    def _is_ready(self, child: Child) -> None:
        child.state, child.since = State.READY, time.monotonic()
        self._listener.ready(child)

    def _has_ended(self, child: Child, code: int, now: float) -> None:
        if child.process:
            _sweep(child.process)
        self._forget_pipe(child)
        child.process = None
        if child.once and code == 0:
            child.state = State.DONE
            self._listener.ready(child)
            return
        if child.state is State.READY and now - child.since >= STEADY_S:
            child.failures = 0
        self._failed(child, code, describe(code, child.log), now)

    def _failed(self, child: Child, code: int, reason: str, now: float) -> None:
        child.failures += 1
        child.state, child.due = State.PAUSED, now + pause_s(child.failures)
        self._listener.ended(child, code, reason, pause_s(child.failures))

    def _forget_pipe(self, child: Child) -> None:
        if child.pipe is not None:
            self._selector.unregister(child.pipe)
            os.close(child.pipe)
            child.pipe = None


def _sweep(process: subprocess.Popen[bytes]) -> None:
    # A child leads a process group of its own; whatever it started and left behind ends with it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()


def _rotate(log: Path) -> None:
    # Copied and cut, because the child goes on writing to the end of the same file.
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_suffix(".1.log"))
            os.truncate(log, 0)
