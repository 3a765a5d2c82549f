"""What any embedded server needs: a process of its own, a wait until it is ready, an orderly end."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from bot.conversation.errors import ConfigError, Unavailable

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 20 * 1024 * 1024
"""A log longer than this is put aside, once, at the next start."""


class Server:
    """One embedded server. The data outlives it; the process does not outlive its parent.

    `start` and `stop` are for those who run it themselves; the supervisor of `frontdesk up` calls `prepare`,
    starts `command()` itself and asks `ready()`.
    """

    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path, sockets: Path, log: Path) -> None:
        self.folder = folder.absolute()
        self.sockets = sockets.absolute()
        self.log = log.absolute()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address for clients; it holds the password if there is one."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make folders and files ready; takes seconds the first time, and does no harm later.

        Raises:
            ConfigError: the folder can't be used.
        """
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command line of the server, launcher included."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Say whether the server answers."""
        raise NotImplementedError

    def start(self, timeout_s: float = 60.0) -> Self:
        """Start the server and wait until it answers.

        The calling thread must live as long as the server: the kernel takes its end for the parent's.

        Raises:
            ConfigError: the folder can't be used.
            Unavailable: the server ended or did not answer in time; the text holds the last line of its log.
        """
        self.prepare()
        with open_log(self.log) as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command(), stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait(self.process, timeout_s)
        except BaseException:
            self.kill()
            raise
        return self

    def _wait(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if process.poll() is not None:
                raise Unavailable(f"{self.name} ended at its start: {last_line(self.log)}")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} did not answer in {timeout_s:.0f} s: {last_line(self.log)}")
            time.sleep(0.02)

    def stop(self, timeout_s: float = 20.0) -> None:
        """End the server in order, by force when it takes too long."""
        process, self.process = self.process, None
        if process is not None:
            end(process, self.stop_signal, timeout_s)

    def kill(self) -> None:
        """End the server at once, as a crash would; for tests."""
        process, self.process = self.process, None
        if process is not None:
            end(process, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def launcher(signum: signal.Signals | None, *options: str) -> list[str]:
    """Return the beginning of a command line that sends a program this signal when its parent ends."""
    watch = [] if signum is None else [f"--signal={int(signum)}"]
    return [sys.executable, "-I", "-S", str(LAUNCH), f"--parent={os.getpid()}", *watch, *options, "--"]


def end(process: subprocess.Popen[bytes], signum: signal.Signals, timeout_s: float = 20.0) -> None:
    """End a process with a signal, by force when it takes too long."""
    if process.poll() is None:
        process.send_signal(signum)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin:
        process.stdin.close()


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter.

    Raises:
        ConfigError: it can't be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"the folder {path} can't be used: {error.strerror}") from error
    return path


def socket_folder(data: Path) -> Path:
    """Return a private folder for sockets: `run` in the data folder, or a shorter path if need be.

    A socket's path may have about 100 bytes, and some file systems hold none.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = private_folder(data.absolute() / "run")
    if _holds_sockets(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"frontdesk-{os.geteuid()}-{digest}"
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
    status = short.lstat()
    if status.st_uid != os.geteuid() or short.is_symlink() or status.st_mode & 0o077:
        raise ConfigError(f"{short} belongs to somebody else; set TMPDIR to a folder of your own")
    if not _holds_sockets(short):
        raise ConfigError(f"{short} can't hold a socket; set TMPDIR to a folder with a shorter path")
    return short


def forget_socket_folder(data: Path) -> None:
    """Remove the folder of sockets; a next start makes it anew."""
    with contextlib.suppress(ConfigError):
        shutil.rmtree(socket_folder(data), ignore_errors=True)


def _holds_sockets(folder: Path) -> bool:
    probe = folder / ".s.PGSQL.probe"
    with socket.socket(socket.AF_UNIX) as candidate:
        try:
            probe.unlink(missing_ok=True)
            candidate.bind(str(probe))
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
    return True


def command_of(pid: int) -> str:
    """Return the command line of a process, empty if it can't be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        pass
    try:
        done = subprocess.run(  # noqa: S603
            ["ps", "-p", str(pid), "-o", "args="],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[BinaryIO]:
    """Open a log to append to, after putting aside one that has grown too long."""
    private_folder(path.parent)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".1.log"))
    path.touch(0o600)
    with path.open("ab") as file:
        yield file


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return "its log is empty"
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
