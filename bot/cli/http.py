"""What every answer of the web process has in common: the shape of errors, the largest body, security headers."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.conversation.errors import (
    BadInput,
    ConfigError,
    Conflict,
    Forbidden,
    FrontdeskError,
    NotFound,
    NotSignedIn,
    RateLimited,
    Unavailable,
)

logger = logging.getLogger(__name__)

ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
    (NotSignedIn, 401, "not_signed_in"),
    (Forbidden, 403, "forbidden"),
    (NotFound, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (BadInput, 422, "bad_input"),
    (RateLimited, 429, "rate_limited"),
    (Unavailable, 503, "unavailable"),
    (ConfigError, 500, "misconfigured"),
    (FrontdeskError, 500, "internal"),
)
"""The one table from errors to HTTP: the first row whose class fits."""

FOREIGN = (RedisError, OperationalError, InterfaceError, TimeoutError, ConnectionError)
"""What a service that does not answer raises where no adapter translated it."""

CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "bad_input"}
OUR_FAULT = "something went wrong here; it is logged"
RETRY_AFTER_S = 2

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"content-security-policy", b"frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'"),
)
"""Put on every answer that does not set them itself."""
HSTS = (b"strict-transport-security", b"max-age=31536000")


def error_answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error in the one shape that all have."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def add_error_table(app: FastAPI) -> None:
    """Answer every error by the table, never with exception text that was not meant for clients."""
    app.add_exception_handler(FrontdeskError, _frontdesk_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in FOREIGN:
        app.add_exception_handler(kind, _service_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _frontdesk_error(_: Request, error: Exception) -> JSONResponse:
    status, code = next((status, code) for kind, status, code in ERRORS if isinstance(error, kind))
    headers = {}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(max(1, round(error.after_s)))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    elif status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request_failed error=%s", type(error).__name__, exc_info=error)
        return error_answer(status, code, OUR_FAULT)
    return error_answer(status, code, str(error), headers)


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return error_answer(422, "bad_input", f"{where}: {first['msg']}" if where else str(first["msg"]))


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
    return error_answer(error.status_code, code, HTTPStatus(error.status_code).phrase, dict(error.headers or {}))


async def _service_error(_: Request, error: Exception) -> JSONResponse:
    logger.warning("service_unavailable error=%s", type(error).__name__)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return error_answer(503, "unavailable", "a service that is needed does not answer; try again", headers)


async def _unexpected_error(_: Request, error: Exception) -> JSONResponse:
    return error_answer(500, "internal", OUR_FAULT)  # Starlette raises it again, and uvicorn logs it


class BodyLimit:
    """Refuses bodies that are larger than the limit, announced or not, with 413."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, watching its size."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        received, answered = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLarge:
            if not answered:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"at most {self._max_bytes} bytes are accepted"
        await error_answer(413, "too_large", message, {"Connection": "close"})(scope, receive, send)


class _TooLarge(BaseException):
    """Ends the reading of a body; no handler for errors in between may take it for one."""


class SecurityHeaders:
    """Adds the headers that tell browsers what not to do."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self._app = app
        self._headers = (*HEADERS, HSTS) if https else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in there]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
