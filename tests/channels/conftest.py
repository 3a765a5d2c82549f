"""A running worker with a scripted assistant, and an app that serves channels over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from bot.channels.live import Live
from bot.channels.mailbox import Mailbox
from bot.conversation.errors import BadInput, Forbidden, FrontdeskError, RateLimited, Unavailable
from bot.conversation.log import Log
from bot.settings import Settings
from bot.worker import Worker
from tests.bot.scripted import ScriptedAssistant

STATUS = {BadInput: 422, Forbidden: 403, RateLimited: 429, Unavailable: 503}


@pytest.fixture
def assistant() -> ScriptedAssistant:
    """What the bot will say."""
    return ScriptedAssistant()


@asynccontextmanager
async def working(log: Log, assistant: ScriptedAssistant) -> AsyncIterator[None]:
    """Run a worker."""
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(log, assistant, Settings()).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def listening(log: Log) -> AsyncIterator[Mailbox]:
    """Run the subscription of a web process."""
    stop = asyncio.Event()
    live = Live(log.redis)
    task = asyncio.create_task(live.run(stop))
    try:
        yield Mailbox(log, live)
    finally:
        stop.set()
        await task


@pytest.fixture
async def worker(log: Log, assistant: ScriptedAssistant) -> AsyncIterator[None]:
    async with working(log, assistant):
        yield


@pytest.fixture
async def mailbox(log: Log) -> AsyncIterator[Mailbox]:
    async with listening(log) as mailbox:
        yield mailbox


def app_with_errors() -> FastAPI:
    """An app that answers errors much as the web process does."""
    app = FastAPI()

    @app.exception_handler(FrontdeskError)
    async def answer(request: Request, error: FrontdeskError) -> JSONResponse:
        status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
        return JSONResponse({"error": str(error)}, status)

    return app
