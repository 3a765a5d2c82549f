"""Mounting the desk into a web application."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from bot.conversation.log import Log
from bot.settings import Settings, WebSettings
from handoff.auth import COOKIE, Auth
from handoff.console import mount
from handoff.console.sign_in import FORM_COOKIE
from handoff.database import Database
from handoff.desk import Desk
from handoff.figures import Figures


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def application(log: Log, database: Database, settings: Settings) -> FastAPI:
    app = FastAPI()
    figures = Figures(database, settings.hours, settings.conversation.idle_s)
    mount(app, Desk(log, database, settings), Auth(database, settings.desk), figures, settings)
    return app


def browser(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://desk.example")


async def test_the_desk_can_be_mounted_again_in_one_process(log: Log, database: Database) -> None:
    for _ in range(2):
        async with browser(application(log, database, Settings())) as client:
            assert (await client.get("/desk/")).headers["location"] == "/desk/sign-in?next=/desk/"
            assert (await client.get("/desk")).headers["location"] == "/desk/"
            assert "Sign in" in (await client.get("/desk/sign-in")).text
            assert (await client.get("/desk/static/desk.css")).status_code == 200


async def test_cookies_are_secure_behind_https(log: Log, database: Database) -> None:
    settings = Settings(web=WebSettings(public_url="https://desk.example"))
    async with browser(application(log, database, settings)) as client:
        answer = await client.get("/desk/sign-in")
        assert FORM_COOKIE in answer.cookies
        assert "secure" in answer.headers["set-cookie"].lower()
        assert COOKIE not in answer.cookies


async def test_pages_stay_out_of_the_api_description(log: Log, database: Database) -> None:
    assert application(log, database, Settings()).openapi()["paths"] == {}


async def test_while_the_data_is_away_the_page_says_so_and_nothing_else(log: Log) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", timeout_s=1.0)
    async with browser(application(log, away, Settings())) as client:
        client.cookies.set(COOKIE, "some-session")
        for path in ("/desk/", "/desk/account", "/desk/sign-in", "/desk/c/web:1/transcript.txt"):
            answer = await client.get(path)
            assert answer.status_code == 503, path
            assert "Back in a moment" in answer.text
    await away.close()
