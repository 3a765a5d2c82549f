"""The desk in the browser: NiceGUI pages under /desk. They hold no truth and no rules; both are in handoff.desk."""

import logging
from collections.abc import Awaitable, Callable, Collection

from fastapi import FastAPI, Request
from nicegui import app as pages
from nicegui import ui
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from bot.conversation.errors import Unavailable
from bot.conversation.explanation import Explain
from bot.settings import Settings
from handoff.accounts import Accounts
from handoff.auth import Auth
from handoff.console import conversation_page, downloads, overview_page, queue_page, sign_in, team_page
from handoff.console.guard import Guard
from handoff.console.layout import empty, html
from handoff.console.markup import tag
from handoff.console.plain import (
    STATIC,
    STATIC_URL,
    asset,
    broken_page,
    head,
    missing_page,
    refused_page,
    unavailable_page,
)
from handoff.console.visit import BASE, CALLER, Console, Visit
from handoff.desk import Desk
from handoff.figures import Figures
from handoff.roles import Caller, Right

__all__ = ["mount"]

logger = logging.getLogger(__name__)

RECONNECT_S = 10.0
"""How long a page waits for its browser after the connection was lost; longer, and the page is loaded anew."""
Build = Callable[[Visit, Request], Awaitable[Response | None]]


def mount(
    app: FastAPI,
    desk: Desk,
    auth: Auth,
    figures: Figures,
    settings: Settings,
    accounts: Accounts | None = None,
    explain: Explain | None = None,
    spoken: Collection[str] = (),
) -> None:
    """Put the desk's pages under /desk of a web application, which has to run `desk.run()` while it lives.

    With `explain`, agents can ask which words carried a triage. `spoken` are the languages of the assistant, as codes.

    The pages keep nothing in the browser but its own session, so no storage secret is needed. A second call in one
    process replaces what the first one made.
    """
    console = Console(desk, auth, accounts or Accounts(desk.database), figures, settings, explain, spoken)
    app.include_router(sign_in.routes(console))
    app.include_router(downloads.routes(console))
    app.mount(STATIC_URL, StaticFiles(directory=STATIC))
    app.add_api_route(BASE, _to_queue, include_in_schema=False)
    _make_pages(console)
    pages.user_middleware.clear()
    pages.middleware_stack = None
    ui.run_with(
        app,
        mount_path=BASE,
        title="Frontdesk",
        favicon=(STATIC / "desk.svg").read_text(encoding="utf-8").strip(),
        dark=False,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
    )
    public = (settings.web.public_url or "").rstrip("/")
    pages.add_middleware(Guard, auth=auth, origins=[public] if public else [])
    pages.add_exception_handler(404, _missing)
    pages.add_exception_handler(Exception, _broken)
    pages.on_page_exception(_say_broken)


def _make_pages(console: Console) -> None:
    for path, right, build in (
        ("/", Right.READ, queue_page.build),
        ("/c/{conversation}", Right.READ, conversation_page.build),
        ("/overview", Right.READ, overview_page.build),
        ("/overview/episodes", Right.MEASURE, overview_page.build_episodes),
        ("/team", Right.ADMINISTER, team_page.build),
    ):
        ui.page(path)(_page(console, right, build))


def _page(console: Console, right: Right, build: Build) -> Callable[[Request], Awaitable[Response | None]]:
    async def shown(request: Request) -> Response | None:
        caller: Caller = request.scope[CALLER]
        if not caller.may(right):
            return refused_page()
        ui.add_head_html(head() + tag("script", src=asset("desk.js"), defer=True))
        try:
            return await build(Visit(console, request), request)
        except Unavailable:
            return unavailable_page()

    return shown


async def _to_queue() -> RedirectResponse:
    return RedirectResponse(f"{BASE}/", status_code=307)


async def _missing(_: Request, __: Exception) -> Response:
    return missing_page()


async def _broken(_: Request, error: Exception) -> Response:
    logger.error("page of the desk failed", exc_info=error)
    return broken_page()


def _say_broken(error: Exception) -> None:
    logger.error("page of the desk failed", exc_info=error)
    ui.add_head_html(head())
    with ui.element("main").classes("page-inner"):
        html(empty("alert", "Something went wrong", "It was written down for whoever runs the desk. Try again."))
