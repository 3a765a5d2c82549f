"""The web chat: the widget's script, a page to try it on, and the ways its messages come and go."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse

from bot.channels.identity import Identities
from bot.channels.limits import parse_object, read_body
from bot.channels.mailbox import Mailbox
from bot.channels.web_chat import WebChat
from bot.channels.web_protocol import Poll, PostedSend, mail_frame, refusal
from bot.channels.web_socket import POLICY, Session
from bot.conversation.errors import Forbidden, FrontdeskError
from bot.gateway import Gateway
from bot.settings import Settings

FILES = Path(__file__).parent / "widget"
FILE_KINDS = {"widget.js": "text/javascript", "demo.css": "text/css", "words/*.json": "application/json"}
MAX_POLL_S = 25.0
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def create_web_chat_router(gateway: Gateway, mailbox: Mailbox, secret: bytes, settings: Settings) -> APIRouter:
    """Return the routes under /chat; `secret`, from `identity.load_secret`, signs customers' tokens."""
    router = APIRouter(prefix="/chat", include_in_schema=False)
    chat = WebChat(gateway, mailbox, Identities(secret), settings)

    @router.get("")
    async def page() -> Response:
        """Return the page to try the widget on."""
        text = (FILES / "demo.html").read_text("utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"})

    for path, kind in FILE_KINDS.items():
        for file in FILES.glob(path):
            name = file.relative_to(FILES).as_posix()
            router.add_api_route(f"/{name}", _file(file, kind), methods=["GET"], name=name)

    @router.websocket("/ws")
    async def socket(socket: WebSocket) -> None:
        """Serve a widget."""
        try:
            chat.admit(socket.headers.get("origin"), socket.headers.get("host"))
        except Forbidden:
            await socket.close(POLICY)
            return
        await Session(socket, chat).run()

    @router.post("/poll")
    async def poll(request: Request) -> Response:
        """Tell a widget without a socket what is new, as soon as there is something."""
        return await _answer(request, chat, _poll)

    @router.post("/send")
    async def send(request: Request) -> Response:
        """Take a message from a widget without a socket."""
        return await _answer(request, chat, _send)

    @router.options("/poll")
    @router.options("/send")
    async def preflight(request: Request) -> Response:
        """Tell a browser whether a page of another site may ask."""
        return await _answer(request, chat, _nothing)

    return router


def _file(path: Path, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=300",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return file


async def _answer(
    request: Request, chat: WebChat, work: Callable[[Request, WebChat], Awaitable[dict[str, Any] | None]]
) -> Response:
    origin = request.headers.get("origin")
    headers = {"Cache-Control": "no-store", "Vary": "Origin"}
    try:
        chat.admit(origin, request.headers.get("host"))
        if origin is not None:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Methods"] = "POST"
            headers["Access-Control-Allow-Headers"] = "content-type"
            headers["Access-Control-Max-Age"] = "7200"
        found = await work(request, chat)
    except FrontdeskError as error:
        status, frame = refusal(error)
        return JSONResponse(frame, status, headers)
    return Response(status_code=204, headers=headers) if found is None else JSONResponse(found, headers=headers)


async def _poll(request: Request, chat: WebChat) -> dict[str, Any]:
    asked = parse_object(await read_body(request, chat.max_bytes), Poll)
    identity = chat.identify(asked.token)
    chat.frames.take(identity.customer)
    after, wait_s = (asked.after, min(asked.wait_s, MAX_POLL_S)) if not identity.new else ("", 0.0)
    items, typing = await chat.mailbox.wait(chat.conversation(identity), after, wait_s, typing_too=True)
    return {**chat.greeting(identity), **mail_frame(items), "typing": typing}


async def _send(request: Request, chat: WebChat) -> dict[str, Any]:
    posted = parse_object(await read_body(request, chat.max_bytes), PostedSend)
    return await chat.take(chat.known(posted.token), posted)


async def _nothing(request: Request, chat: WebChat) -> None:
    return None
