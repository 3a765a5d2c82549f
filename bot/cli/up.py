"""`frontdesk up`: everything on one machine, on one port, kept running until it is told to stop."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from bot.cli import installation
from bot.cli.installation import Runtime, place_of
from bot.cli.models import check_files, check_model
from bot.cli.progress import Progress
from bot.cli.supervisor import CONFIG_EXIT, Child, State, Supervisor
from bot.configuration import Configuration
from bot.conversation.errors import ConfigError, Unavailable
from bot.embedded.postgres import PostgresServer
from bot.embedded.redis import RedisServer
from bot.embedded.server import Server, forget_socket_folder, launcher, socket_folder
from bot.learning.registry import Registry
from bot.settings import Settings

MAX_FAILED_STARTS = 4
"""A child that ends this often before it was ever ready ends the start."""
START_S = 300.0
TRAIN_S = 3600.0
SERVERS, SENDING, WORKING = 2, 1, 0
"""Stages of a stop: first what takes messages in and answers them, then what sends, last where all is kept."""


class Up:
    """One run of an installation."""

    def __init__(self, configuration: Configuration, progress: Progress) -> None:
        settings = configuration.settings
        self.data = settings.data.absolute()
        self._settings: Settings = settings
        self._registry = Registry(settings.assistant.models)
        self._progress = progress
        self._started = False
        self._failed: str | None = None
        self._stops = 0

    def run(self) -> None:
        """Start everything, keep it running until a signal says stop, and stop it.

        Raises:
            ConfigError: a setting, a file or the data folder can't be used.
            Unavailable: something did not start.
        """
        model = self._registry.live()
        if model:
            check_model(model)
        else:
            check_files(self._settings)
        check_services(self._settings)
        host, port = self._settings.web.host, self._settings.web.port
        with (
            _signals(self._on_signal),
            installation.locked(self.data) as lock,
            installation.listen(host, port) as listener,
        ):
            url = installation.address_of(host, listener.getsockname()[1])
            supervisor = Supervisor(self, (lock,))
            try:
                self._start(supervisor, listener, url, train=model is None)
                while not self._stops:
                    supervisor.step()
            finally:
                self._stop(supervisor)

    def _start(self, supervisor: Supervisor, listener: socket.socket, url: str, train: bool) -> None:
        began = time.monotonic()
        training = None
        if train:
            training = supervisor.add(self._child("train", "starting", "train", once=True))
        servers = self._prepare_servers(url)
        for server in servers:
            self._progress.begin(server.name, "starting")
            supervisor.add(_child_of(server))
        listening = ["--listen-fd", str(listener.fileno()), "--port", str(listener.getsockname()[1])]
        web = self._child("web", "starting", "web", *listening, fds=(listener.fileno(),))
        supervisor.add(web)
        supervisor.add(self._child("sender", "starting", "sender", stage=SENDING))
        if training and not self._wait(supervisor, [training], began + TRAIN_S):
            return
        for number in range(self._settings.worker.count):
            name = "worker" if self._settings.worker.count == 1 else f"worker-{number + 1}"
            supervisor.add(self._child(name, "starting", "worker"))
        if not self._wait(supervisor, supervisor.children, time.monotonic() + START_S):
            return
        self._started = True
        self._progress.end()
        for name, path in (("desk", "/desk"), ("chat", "/chat"), ("API", "/docs")):
            self._progress.say(f"  {name:5} {url}{path}")
        if live := self._registry.standing().live:
            self._progress.say(f"  model {live.model}, live since {live.at:%Y-%m-%d %H:%M} UTC")
        self._progress.say(f"frontdesk is ready: {url}")
        sys.stdout.flush()

    def _prepare_servers(self, url: str) -> list[Server]:
        settings, data = self._settings, self.data
        sockets, logs = socket_folder(data), data / "logs"
        redis = RedisServer(data / "redis", sockets, logs / "redis.log")
        postgres = PostgresServer(data / "postgres", sockets, logs / "postgres.log")
        servers: list[Server] = []
        if settings.redis.url is None:
            servers.append(redis)
        if settings.database.url is None:
            if not (data / "postgres").exists():
                self._progress.begin("postgres", "making the database, once")
            servers.append(postgres)
            postgres.prepare()
        redis_url = settings.redis.url.get_secret_value() if settings.redis.url else redis.url
        database_url = settings.database.url.get_secret_value() if settings.database.url else postgres.url
        installation.announce(data, Runtime(os.getpid(), url, redis_url, database_url))
        return servers

    def _child(
        self,
        name: str,
        doing: str,
        command: str,
        *arguments: str,
        stage: int = WORKING,
        once: bool = False,
        fds: tuple[int, ...] = (),
    ) -> Child:
        self._progress.begin(name, doing)

        def line(ready_fd: int) -> list[str]:
            start = launcher(signal.SIGKILL)
            program = [sys.executable, "-m", "bot.cli", command, "--data", str(self.data), "--ready-fd", str(ready_fd)]
            return [*start, *program, *arguments]

        log = self.data / "logs" / f"{name}.log"
        return Child(name, line, log, stage=stage, once=once, fds=fds)

    def _wait(self, supervisor: Supervisor, children: list[Child], deadline: float) -> bool:
        """Return True when all are ready, False when a signal said stop.

        Raises:
            ConfigError: a child could not start because of a setting or a file.
            Unavailable: a child does not start.
        """
        while not all(child.state in (State.READY, State.DONE) for child in children):
            supervisor.step()
            if self._stops:
                return False
            if self._failed:
                raise ConfigError(self._failed)
            if time.monotonic() > deadline:
                late = ", ".join(child.name for child in children if child.state not in (State.READY, State.DONE))
                raise Unavailable(f"{late} did not start in time; see {self.data / 'logs'}")
        return True

    def _stop(self, supervisor: Supervisor) -> None:
        self._progress.end()
        if self._started:
            self._progress.say("stopping")
        supervisor.stop(hurry=lambda: self._stops > 1)
        supervisor.close()
        installation.withdraw(self.data)
        forget_socket_folder(self.data)

    def ready(self, child: Child) -> None:
        """Show that a child is ready."""
        if self._started:
            _tell(f"{child.name} is ready again")
        else:
            self._progress.done(child.name, "done" if child.once else "ready")

    def said(self, child: Child, kind: str, text: str) -> None:
        """Show what a child does, or pass on what it has to say."""
        if kind == "notice":
            self._progress.say(text)
        elif not self._started:
            self._progress.begin(child.name, text)

    def ended(self, child: Child, code: int, reason: str, pause_s: float) -> None:
        """Say that a child ended and why; give up if that happens at its start again and again."""
        if not self._started and (code == CONFIG_EXIT or child.once or child.failures >= MAX_FAILED_STARTS):
            told = reason.partition("its log ends: frontdesk: ")[2]
            self._failed = self._failed or told or f"{child.name} does not start: {reason}"
            return
        _tell(f"{child.name} ended ({reason}); it starts again in {pause_s:g} s")

    def _on_signal(self, *_: object) -> None:
        self._stops += 1


def check_services(settings: Settings) -> None:
    """Make sure that Redis and PostgreSQL of one's own can be reached, before anything is started.

    Raises:
        Unavailable: one does not answer.
    """
    for name, secret, port in (("Redis", settings.redis.url, 6379), ("PostgreSQL", settings.database.url, 5432)):
        if secret is None:
            continue
        url = secret.get_secret_value()
        parts = urlsplit(url)
        try:
            if parts.scheme == "unix":
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(unquote(parts.path))
            elif parts.hostname and "," not in parts.netloc:
                socket.create_connection((parts.hostname, parts.port or port), timeout=5).close()
        except (OSError, ValueError):
            raise Unavailable(f"{name} at {place_of(url)} does not answer") from None


def _child_of(server: Server) -> Child:
    def ready() -> bool:
        server.process = child.process
        return server.ready()

    child = Child(
        server.name,
        lambda _: server.command(),
        server.log,
        ready=ready,
        prepare=server.prepare,
        stage=SERVERS,
        stop_signal=server.stop_signal,
    )
    return child


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be listening any more
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _signals(handler: object) -> Iterator[None]:
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, handler) for name in names}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)


def up(configuration: Configuration) -> None:
    """Run an installation until it is told to stop.

    Raises:
        ConfigError: a setting, a file or the data folder can't be used.
        Unavailable: something did not start.
    """
    Up(configuration, Progress()).run()
