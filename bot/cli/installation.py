"""One installation: its data folder, used by one run at a time, and where that run can be reached."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.conversation.errors import ConfigError
from bot.embedded.server import private_folder
from bot.settings import Settings

LOCK = "lock"
RUNTIME = "run/frontdesk.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where a running installation is reached; the addresses hold passwords, so only the owner may read the file."""

    pid: int
    url: str
    redis_url: str
    database_url: str


@contextlib.contextmanager
def locked(data: Path, wait_s: float = 5.0) -> Iterator[int]:
    """Keep the data folder for this run; yields the lock's file descriptor.

    Whoever inherits the descriptor holds the lock too: it is free when the last process of a run has ended.

    Raises:
        ConfigError: another run has it, or the folder can't be used.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise ConfigError(f"the data folder {data} can't be used: {error.strerror}") from error
    try:
        deadline = time.monotonic() + wait_s
        while not _try_lock(descriptor):
            holder = _holder(descriptor)
            # If the run itself is gone, its children are just ending.
            if (holder and _alive(holder)) or time.monotonic() > deadline:
                who = f" (process {holder})" if holder else ""
                raise ConfigError(
                    f"the data folder {data} is in use by another run{who}; stop that one, or choose another folder"
                    " with --data"
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def announce(data: Path, runtime: Runtime) -> None:
    """Tell the commands of this installation where it is reached."""
    path = data / RUNTIME
    private_folder(path.parent)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    fresh.write_text(json.dumps(asdict(runtime)), encoding="utf-8")
    fresh.replace(path)


def withdraw(data: Path) -> None:
    """Take the announcement back."""
    (data / RUNTIME).unlink(missing_ok=True)


def find(data: Path) -> Runtime | None:
    """Return where the installation of a data folder is reached, None if it is not running."""
    try:
        runtime = Runtime(**json.loads((data / RUNTIME).read_text(encoding="utf-8")))
        descriptor = os.open(data / LOCK, os.O_RDWR)
    except (OSError, ValueError, TypeError):
        return None
    try:
        return None if _try_lock(descriptor) else runtime
    finally:
        os.close(descriptor)


def redis_url(settings: Settings) -> str:
    """Return the Redis to use: the one of the settings, or that of the running installation.

    Raises:
        ConfigError: there is neither.
    """
    if settings.redis.url:
        return settings.redis.url.get_secret_value()
    return _running(settings, "REDIS_URL").redis_url


def database_url(settings: Settings) -> str:
    """Return the PostgreSQL to use: the one of the settings, or that of the running installation.

    Raises:
        ConfigError: there is neither.
    """
    if settings.database.url:
        return settings.database.url.get_secret_value()
    return _running(settings, "DATABASE_URL").database_url


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigError: the port is in use, or the address is not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=2048)
    except socket.gaierror:
        raise ConfigError(f"web.host: {host} is no address of this machine") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use; choose another with --port") from None
        if error.errno == errno.EACCES:
            raise ConfigError(
                f"port {port} may not be opened by this user; choose one above 1023 with --port"
            ) from None
        raise ConfigError(f"{host}, port {port}, can't be opened: {error.strerror}") from None


def address_of(host: str, port: int) -> str:
    """Return the address under which this machine reaches the web process."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104  compared, not opened
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def place_of(url: str) -> str:
    """Return host and port or the socket of an address, for people: never its password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'this machine'}{f':{parts.port}' if parts.port else ''}"


def _running(settings: Settings, variable: str) -> Runtime:
    runtime = find(settings.data)
    if runtime is None:
        raise ConfigError(
            f"Frontdesk is not running in {settings.data}; start it with `frontdesk up`, name its folder with --data,"
            f" or set {variable}"
        )
    return runtime


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
