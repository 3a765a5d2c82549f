"""What every test may use: a real Redis and a real PostgreSQL, empty for each test.

Whole folders are tested by several processes at once (pytest-xdist), each file by one of them, and each with a Redis, a
PostgreSQL and an installation of its own.
"""

import asyncio
import fcntl
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.conversation.events import utc_now
from bot.conversation.log import Log
from bot.embedded.postgres import DATABASE, PostgresServer
from bot.embedded.redis import RedisServer
from bot.embedded.server import socket_folder
from bot.learning.registry import How, Registry
from tests.running import ROOT, Installation, frontdesk

LONG = (
    "e2e/test_learning.py",
    "learning/test_finetune.py",
    "learning/test_data_check.py",
    "e2e/test_kill.py",
    "cli/test_up.py",
    "triage/test_job.py",
    "assistant/test_commands.py",
    "console/test_conversation.py",
)
"""The files that take longest are begun first, so that no process is left alone with one. The first of them needs the
trained model; the next two don't, which would else wait for it."""
MOST_AT_ONCE = 4

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C stop what the tests start, also where a shell runs them in the background, without Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes test, none besides this one if files are named: it takes seconds to start them."""
    if all(Path(named.partition("::")[0]).is_file() for named in config.args):
        return 0
    return min(max(os.cpu_count() or 1, 2), MOST_AT_ONCE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first where several processes test."""
    if hasattr(config, "workerinput"):
        place = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: place.get(item.path, len(LONG)))


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the embedded servers of this run."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def redis_server(servers_folder: Path) -> Iterator[RedisServer]:
    """The Redis of this run."""
    sockets = socket_folder(servers_folder)
    with RedisServer(servers_folder / "redis", sockets, servers_folder / "redis.log", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(servers_folder: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL of this run."""
    sockets = socket_folder(servers_folder)
    folder = servers_folder / "postgres"
    with PostgresServer(folder, sockets, servers_folder / "postgres.log", durable=False) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """The address of an empty Redis database of the test's own."""
    url = f"{redis_server.url}?db={next(_numbers) % 63 + 1}"
    with BlockingRedis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the test's Redis database, as the processes of Frontdesk make theirs."""
    client = Redis.from_url(redis_url, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
def log(redis: Redis) -> Log:
    """An empty conversation log of four partitions."""
    return Log(redis, partitions=4)


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """The name of a database with all tables and no rows."""
    try:
        from handoff.database import migrate
    except ModuleNotFoundError:
        return "template1"
    migrate(postgres_server.url)
    return DATABASE


@pytest.fixture
def database_url(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    """The address of a PostgreSQL database of the test's own, with all tables and no rows."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = postgres_server.url_of("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield postgres_server.url_of(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def trained_model() -> Path:
    """The shipped assistant's model; trained anew only when its inputs changed."""
    cache = ROOT / "build" / "test-models"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of the processes that test, one trains it
        done = frontdesk("train", timeout_s=600, FRONTDESK_ASSISTANT__MODELS=str(cache))
    assert done.returncode == 0, done.stderr
    return (ROOT / done.stdout.strip()).resolve()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, trained_model: Path) -> Path:
    """A folder where the shipped assistant's model is live."""
    folder = tmp_path_factory.mktemp("models")
    served = folder / trained_model.name
    served.symlink_to(trained_model)
    Registry(folder).make_live(served, How.TRAINED, utc_now())
    return folder


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Installation]:
    """A running installation, one for all tests: leave it running, and use customers of your own."""
    data = tmp_path_factory.mktemp("installation") / "data"
    with Installation(data, FRONTDESK_ASSISTANT__MODELS=str(models)) as running:
        yield running


async def eventually(condition, what: str = "the condition", timeout_s: float = 30.0):
    """Wait until `condition` (a plain or async function) gives something true, and return that."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come true in {timeout_s} s"
        await asyncio.sleep(0.01)
