import os
import signal
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from bot.conversation.errors import ConfigError, Unavailable
from bot.embedded.postgres import PostgresServer
from bot.embedded.redis import RedisServer
from bot.embedded.server import command_of, socket_folder


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder"


def redis_at(folder: Path) -> RedisServer:
    return RedisServer(folder / "redis", socket_folder(folder), folder / "logs" / "redis.log")


def postgres_at(folder: Path) -> PostgresServer:
    return PostgresServer(folder / "postgres", socket_folder(folder), folder / "logs" / "postgres.log", durable=False)


def test_redis_keeps_what_was_written_before_a_kill(folder):
    server = redis_at(folder).start()
    with Redis.from_url(server.url) as client:
        client.set("a", "1")
        server.kill()
    with server, Redis.from_url(server.url) as client:
        assert client.get("a") == b"1"


def test_redis_listens_on_a_private_socket_only(folder):
    with redis_at(folder) as server, Redis.from_url(server.url) as client:
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
        config = client.config_get("*")
    assert config["port"] == "0"
    assert config["appendonly"] == "yes"
    assert config["appendfsync"] == "always"
    assert config["save"] == ""


def test_a_redis_that_cannot_start_tells_the_last_line_of_its_log(folder):
    server = redis_at(folder)
    server.prepare()
    (folder / "redis" / "appendonly.aof").write_bytes(b"this is no append-only file")
    with pytest.raises(Unavailable, match=r"(?i)redis ended at its start: .*format.*"):
        server.start()


def test_postgres_keeps_its_rows_and_does_not_run_as_root(folder):
    with postgres_at(folder) as server, psycopg.connect(plain(server.url)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0 or os.geteuid() != 0
    with postgres_at(folder) as server, psycopg.connect(plain(server.url)) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (7,)


def test_postgres_asks_for_its_password(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(plain(postgres_server.url).replace(":", ":x", 2).replace(":x//", "://", 1))


def test_postgres_starts_when_another_program_has_its_old_number(folder):
    with postgres_at(folder) as server:
        pid_file = (server.folder / "postmaster.pid").read_text()
    lines = [str(os.getppid()), *pid_file.splitlines()[1:]]
    (folder / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    assert "postgres" not in command_of(os.getppid())
    with postgres_at(folder) as server, psycopg.connect(plain(server.url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_lost_password_file_is_made_anew(folder):
    with postgres_at(folder) as server:
        old = server.url
    server.password_file.unlink()
    with server, psycopg.connect(plain(server.url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert server.url != old


def test_postgres_of_another_version_is_refused(folder):
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text("13\n")
    with pytest.raises(ConfigError, match="holds PostgreSQL 13; this release runs 18"):
        postgres_at(folder).start()


def test_a_long_path_does_not_keep_servers_from_starting(tmp_path):
    folder = tmp_path / ("long" * 30)
    assert not str(socket_folder(folder)).startswith(str(folder))
    with redis_at(folder) as server, Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_folder_of_sockets_of_somebody_else_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 30)
    with tempfile.TemporaryDirectory(prefix="fd-") as short:  # a user's tmp_path has no room for a socket
        monkeypatch.setattr("tempfile.tempdir", short)
        socket_folder(folder).chmod(0o755)
        with pytest.raises(ConfigError, match="belongs to somebody else"):
            socket_folder(folder)


def test_stop_ends_the_process(folder):
    server = redis_at(folder).start()
    assert server.process is not None
    process = server.process
    server.stop()
    assert process.returncode in (0, -signal.SIGTERM)
