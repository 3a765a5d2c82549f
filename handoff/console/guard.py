"""Who may pass: every page, file and socket of the desk asks here for the session first."""

import re
from collections.abc import Callable, Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.conversation.errors import FrontdeskError, NotSignedIn, Unavailable
from handoff.auth import COOKIE, Auth
from handoff.console.plain import unavailable_page
from handoff.console.visit import BASE, CALLER, SIGN_IN, TOKEN
from handoff.roles import Caller

OPEN = "/_nicegui/"
"""Scripts, styles and fonts of NiceGUI: the same for everybody."""
SOCKET = "/_nicegui_ws/"
# Pages compile their templates in the browser, which needs eval; nothing is loaded from or sent to elsewhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'{sockets}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HOST = re.compile(r"[A-Za-z0-9.\[\]:-]+")


class Guard:
    """Lets pages and sockets through only with a session, and only from the desk's own pages.

    Args:
        app: the pages.
        auth: tells whose session it is.
        origins: addresses under which the desk is reached, beside the one that the browser names as its host.
    """

    def __init__(self, app: ASGIApp, auth: Auth, origins: Collection[str] = ()) -> None:
        self._app = app
        self._auth = auth
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        is_socket = path.startswith(SOCKET)
        if path.startswith(OPEN):
            await self._app(scope, receive, send)
        elif is_socket and not self._own(scope):
            await _refuse(scope, receive, send, 403)
        else:
            await self._with_session(scope, receive, send, is_socket)

    async def _with_session(self, scope: Scope, receive: Receive, send: Send, is_socket: bool) -> None:
        token = session_token(scope)
        try:
            caller = await self._auth.session(token)
        except NotSignedIn:
            await (_refuse(scope, receive, send, 401) if is_socket else _lead(scope, receive, send))
            return
        except (Unavailable, OSError):
            if is_socket:
                await _refuse(scope, receive, send, 503)
            else:
                await unavailable_page()(scope, receive, send)
            return
        if caller.must_change:
            account = RedirectResponse(f"{BASE}/account", status_code=303)
            await (_refuse(scope, receive, send, 403) if is_socket else account(scope, receive, send))
            return
        scope[CALLER], scope[TOKEN] = caller, token
        await self._app(scope, receive, _with_headers(send, Headers(scope=scope).get("host", "")))

    def _own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None:  # no browser: other sites' scripts can't leave it out
            return True
        return urlsplit(origin).netloc == headers.get("host") or origin.rstrip("/") in self._origins


def session_token(scope: Scope) -> str:
    """Return the session's token from the cookies of a request, empty if there is none."""
    cookies: SimpleCookie = SimpleCookie()
    for header in Headers(scope=scope).getlist("cookie"):
        try:
            cookies.load(header)
        except CookieError:
            continue
    return cookies[COOKIE].value if COOKIE in cookies else ""


async def visitor(auth: Auth, scope: Scope) -> Caller | None:
    """Return who is signed in, None if nobody is.

    Raises:
        Unavailable: it can't be known right now.
    """
    token = session_token(scope)
    try:
        return await auth.session(token) if token else None
    except NotSignedIn:
        return None
    except FrontdeskError as error:
        raise Unavailable("sessions can't be read") from error


def sign_in_for(scope: Scope) -> RedirectResponse:
    """Return the way to the sign-in and back to where a request wanted to go."""
    query = scope.get("query_string", b"").decode("latin-1")
    place = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{SIGN_IN}?next={quote(place, safe='/:')}", status_code=303)


async def _lead(scope: Scope, receive: Receive, send: Send) -> None:
    await sign_in_for(scope)(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + status})
    else:
        await PlainTextResponse("sign in first", status_code=status)(scope, receive, send)


def _with_headers(send: Send, host: str) -> Callable[[Message], Any]:
    # Older browsers do not take 'self' for the scheme of sockets.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    given = {
        "Content-Security-Policy": POLICY.format(sockets=sockets),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in given.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
