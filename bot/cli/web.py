"""The web process: chat, API and desk on one port, put together, with one lifespan that owns every task."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import text
from starlette.types import ASGIApp

from bot.channels.identity import load_secret
from bot.channels.limits import Rate
from bot.channels.live import Live
from bot.channels.mailbox import Mailbox
from bot.channels.rest import Authorise
from bot.channels.rest import create_router as create_message_router
from bot.channels.telegram_receiver import TelegramReceiver
from bot.channels.web import create_web_chat_router
from bot.cli import process
from bot.cli.api_page import api_page
from bot.cli.http import BodyLimit, SecurityHeaders, add_error_table
from bot.cli.installation import address_of, database_url, listen, place_of, redis_url
from bot.cli.models import live_model
from bot.cli.rasa_config import read_thresholds
from bot.conversation.connect import connect
from bot.conversation.errors import Unavailable
from bot.conversation.log import Log
from bot.gateway import Gateway
from bot.settings import Settings
from bot.triage.api import create_router as create_triage_router
from bot.triage.service import TriageService
from handoff.accounts import Accounts
from handoff.api import create_guard
from handoff.api import create_router as create_desk_router
from handoff.auth import Auth
from handoff.console import mount as mount_console
from handoff.database import Database, migrate
from handoff.desk import Desk
from handoff.figures import Figures
from handoff.figures_api import create_router as create_figures_router
from handoff.projector import Projector
from handoff.roles import Caller, Right

logger = logging.getLogger(__name__)

POSTGRES_START_S = 30.0
GRACE_S = 5
"""How long open requests may go on once the process was told to stop."""
ABOUT = "Messages in, tickets and figures out. Make a token with `frontdesk token create --role supervisor`."


class Web:
    """The parts of the web process, and the tasks that run beside its requests."""

    def __init__(
        self, settings: Settings, redis_address: str, database_address: str, reporter: process.Reporter
    ) -> None:
        self.settings = settings
        self._redis_address = redis_address
        self._database_address = database_address
        self.reporter = reporter
        self.stop = asyncio.Event()
        self.failure: BaseException | None = None
        self.redis = connect(redis_address, settings.redis.timeout_s)
        self.log = Log(self.redis, settings.redis.partitions)
        self.database = Database(database_address, settings.database.timeout_s)
        self.live = Live(self.redis)
        self.gateway = Gateway(self.log)
        self.accounts = Accounts(self.database)
        self.auth = Auth(self.database, settings.desk)
        self.desk = Desk(self.log, self.database, settings)
        self.projector = Projector(self.log, self.database)
        self.triage = TriageService(lambda: live_model(settings))
        token = settings.telegram.token
        self.telegram = TelegramReceiver(token, settings, self.gateway, self.log, reporter.notice) if token else None
        self.app = FastAPI(
            title="Frontdesk", description=ABOUT, version="1", lifespan=self._lifespan, redoc_url=None, docs_url=None
        )
        self._add_routes()

    def _add_routes(self) -> None:
        settings, app = self.settings, self.app
        rate = Rate(settings.web.rate_per_minute)
        mailbox = Mailbox(self.log, self.live)
        app.include_router(create_message_router(self.gateway, mailbox, self._token_of(), settings.web))
        chat_secret = load_secret(settings.data, "chat")
        app.include_router(create_web_chat_router(self.gateway, mailbox, chat_secret, settings))
        if self.telegram:
            app.include_router(self.telegram.create_router())
        app.include_router(create_desk_router(self.desk, self.auth, self.accounts, rate.take))
        app.include_router(create_triage_router(self.triage, create_guard(self.auth, Right.READ, rate.take)))
        figures = Figures(self.database, settings.hours, settings.conversation.idle_s)
        measuring = create_guard(self.auth, Right.MEASURE, rate.take)
        app.include_router(
            create_figures_router(figures, self.desk, self.log, self.database, settings.hours.timezone, measuring)
        )
        app.add_api_route("/healthz", self.health, tags=["operation"], summary="Say whether all that is needed answers")
        app.add_api_route("/docs", self.api_page, include_in_schema=False, response_class=HTMLResponse)
        app.add_api_route("/", _to_chat, include_in_schema=False)
        add_error_table(app)
        spoken = read_thresholds(settings.assistant.config).languages
        mount_console(app, self.desk, self.auth, figures, settings, self.accounts, self.triage.explain, spoken)

    @property
    def asgi(self) -> ASGIApp:
        """The application inside what every request passes first."""
        https = (self.settings.web.public_url or "").startswith("https://")
        return SecurityHeaders(BodyLimit(self.app, self.settings.web.max_body_bytes), https)

    def _token_of(self) -> Authorise:
        guard = create_guard(self.auth, Right.SERVE)

        async def token_of(caller: Annotated[Caller, Depends(guard)]) -> str:
            return caller.id

        return cast(Authorise, token_of)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._begin()
            tasks = [self._task(name, work) for name, work in self._background()]
            yield
        finally:
            self.stop.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.triage.close()
            await self.database.close()
            await self.redis.aclose()

    async def _begin(self) -> None:
        self.reporter.status("waiting for Redis")
        async with process.conversation_log(self._redis_address, self.settings):
            pass
        self.reporter.status("bringing the tables up to date")
        await self._migrate()
        admin = await self.accounts.ensure_admin()
        if admin:
            self.reporter.notice(
                f"first start: sign in to the desk as {admin.name}, one-time password {admin.password} (shown only now)"
            )

    async def _migrate(self) -> None:
        deadline = asyncio.get_running_loop().time() + POSTGRES_START_S
        while True:
            try:
                await asyncio.to_thread(migrate, self._database_address)
            except Unavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    place = place_of(self._database_address)
                    raise Unavailable(f"PostgreSQL at {place} does not answer") from error
                await asyncio.sleep(0.1)
            else:
                return

    def _background(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        yield "live", self.live.run(self.stop)
        yield "projector", self.projector.run()
        yield "desk", self.desk.run()
        if self.telegram:
            yield "telegram", self.telegram.run()

    def _task(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        # None of these tasks ends by itself: without one of them the process is not sound, and is started anew.
        if self.stop.is_set() or task.cancelled():
            return
        self.failure = task.exception() or RuntimeError(f"the task {task.get_name()} ended")
        self.stop.set()

    async def api_page(self, request: Request) -> HTMLResponse:
        """Show the API to people."""
        address = self.settings.web.public_url or str(request.base_url)
        return HTMLResponse(api_page(self.app.openapi(), address.rstrip("/"), "/openapi.json"))

    async def health(self) -> dict[str, str]:
        """Answer `ok` if Redis and PostgreSQL answer; else 503."""
        async with asyncio.timeout(5):
            await self.redis.ping()
            async with self.database.session() as session:
                await session.execute(text("SELECT 1"))
        return {"status": "ok"}


async def _to_chat() -> RedirectResponse:
    return RedirectResponse("/chat", status_code=307)


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens, and leaves signals to us: the process stops as all others do."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def main(settings: Settings, listen_fd: int | None = None, ready_fd: int | None = None) -> None:
    """Run the web process until it is told to stop.

    Raises:
        ConfigError: a setting is wrong, or the port is in use.
        Unavailable: Redis or PostgreSQL does not answer.
    """
    # python-telegram-bot gives times as `timedelta` then, as its next version does anyway.
    os.environ.setdefault("PTB_TIMEDELTA", "1")
    process.begin(settings, "web")
    reporter = process.Reporter(ready_fd)
    redis_address, database_address = redis_url(settings), database_url(settings)
    host, port = settings.web.host, settings.web.port
    listener = listen(host, port) if listen_fd is None else socket.socket(fileno=listen_fd)

    async def work(stop: asyncio.Event) -> None:
        web = Web(settings, redis_address, database_address, reporter)
        async with web.app.router.lifespan_context(web.app):
            await _serve(web, listener, stop)
        if web.failure:
            raise web.failure

    process.run(work)


async def _serve(web: Web, listener: socket.socket, stop: asyncio.Event) -> None:
    def started() -> None:
        logger.info("listening url=%s", address_of(web.settings.web.host, listener.getsockname()[1]))
        web.reporter.ready()

    config = uvicorn.Config(
        web.asgi,
        ws="wsproto",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=web.settings.web.max_body_bytes,
    )
    server = _Server(config, started)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    told = asyncio.create_task(stop.wait())
    failed = asyncio.create_task(web.stop.wait())
    await asyncio.wait({serving, told, failed}, return_when=asyncio.FIRST_COMPLETED)
    web.stop.set()
    server.should_exit = True
    for task in (told, failed):
        task.cancel()
    await asyncio.gather(serving, told, failed, return_exceptions=True)
