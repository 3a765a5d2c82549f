"""The desk in a real browser: one server and one Chromium for all tests; people and conversations are each test's."""

import asyncio
import itertools
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from redis.asyncio import Redis

from bot.conversation.ids import AgentId, ConversationId
from bot.conversation.log import Log
from bot.conversation.ownership import Agent
from bot.embedded.postgres import PostgresServer
from bot.embedded.redis import RedisServer
from handoff.accounts import Accounts
from handoff.auth import COOKIE, Auth
from handoff.credentials import Passwords
from handoff.database import Database
from handoff.desk import Desk
from handoff.tables import Role, UserRow
from tests.conftest import ROOT
from tests.console.serve import PARTITIONS, settings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "seven green kettles"
DATABASE = "console"

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all browser tests on one event loop, which the browser lives on."""
    for item in items:
        if "site" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass
class Site:
    """A running desk, and how tests look at it and act behind it."""

    url: str
    browser: Browser
    log: Log
    database: Database
    passwords: Passwords
    contexts: list[BrowserContext] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.database, passwords=self.passwords)
        self.auth = Auth(self.database, settings().desk, passwords=self.passwords)
        self.desk = Desk(self.log, self.database, settings())

    async def person(self, name: str, role: Role = Role.AGENT) -> Agent:
        """Add a user of this test's own with the display name `name` and PASSWORD."""
        user = await self.accounts.add_user(f"{name.split()[0].lower()}{next(_numbers)}", role, name)
        password_hash = await self.passwords.hash(PASSWORD)
        async with self.database.session() as session:
            row = await session.get_one(UserRow, user.id)
            row.password_hash, row.must_change = password_hash, False
        return Agent(user.id, name)

    async def name_of(self, agent: AgentId) -> str:
        """Return the sign-in name."""
        return (await self.accounts.find(agent)).name

    async def tab(self, **options: object) -> Page:
        """Open a tab of a browser of its own, not signed in."""
        context = await self.browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(30_000)
        self.contexts.append(context)
        return await context.new_page()

    async def visit(self, agent: Agent, path: str = "/desk/", **options: object) -> Page:
        """Open a tab in which an agent is signed in."""
        page = await self.tab(**options)
        signed_in = await self.auth.sign_in(await self.name_of(agent.id), PASSWORD)
        await page.context.add_cookies([{"name": COOKIE, "value": signed_in.token, "url": self.url}])
        await page.goto(path)
        return page

    def conversation(self, channel: str = "web") -> ConversationId:
        """Return the id of a conversation that nobody has used."""
        return ConversationId(f"{channel}:customer-{next(_numbers)}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The Chromium of this run."""
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM: the desk was NOT tested in a browser; install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def served(redis_server: RedisServer, postgres_server: PostgresServer, template_database: str) -> Iterator[tuple]:
    """A web process with the desk: its address, its Redis and its PostgreSQL."""
    redis_url = f"{redis_server.url}?db=0"
    admin = postgres_server.url_of("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template_database}")
    database_url = postgres_server.url_of(DATABASE)
    command = [sys.executable, "-m", "tests.console.serve", redis_url, database_url]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        assert port, "the desk did not start"
        yield f"http://127.0.0.1:{port}", redis_url, database_url
        process.stdin.close()
        process.stdout.close()
        assert process.wait(20) == 0
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _site(served: tuple, browser: Browser) -> AsyncIterator[Site]:
    url, redis_url, database_url = served
    expect.set_options(timeout=30_000)
    redis = Redis.from_url(redis_url, decode_responses=True)
    database = Database(database_url)
    yield Site(url, browser, Log(redis, PARTITIONS), database, Passwords())
    await redis.aclose()
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(_site: Site) -> AsyncIterator[Site]:
    """The desk; its tabs are closed after the test."""
    yield _site
    contexts, _site.contexts = _site.contexts, []
    await asyncio.gather(*(context.close() for context in contexts))
