"""A Bot API server for tests: real HTTP, faults on demand, a record of all that was asked of it.

In a test: `with TelegramServer(TOKEN) as telegram: ...`. As a process: `python -m tests.fakes.telegram_server --port 0`
prints its address and is used through `/control/…` (see `_Control`). What a customer does is put in with `say`,
`press` and `inject`; what the bot did is read with `sent`.
"""

import argparse
import asyncio
import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, web

T = TypeVar("T")
TOKEN = "123456:TEST-TOKEN-of-the-fake-server-000000"
BOT_ID = 123456
USERNAME = "larkfield_test_bot"
JSON_FIELDS = ("reply_markup", "allowed_updates", "reply_parameters", "link_preview_options", "entities")


@dataclass
class Fault:
    """What goes wrong with the next `times` calls of a method (of a chat, if given).

    Kinds: `429` (with `retry_after`), `400`, `401`, `403`, `404`, `409`, `500`, `502`; `drop` closes the connection
    before anything is done, `drop_after` when it is done; `garbage` answers what is not JSON; `slow` waits
    `seconds` first.
    """

    method: str
    kind: str
    times: int = 1
    chat: int | None = None
    retry_after: int = 1
    seconds: float = 1.0
    description: str = ""


@dataclass
class State:
    """All that the server knows."""

    updates: deque[dict[str, Any]] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    webhook_answers: list[int] = field(default_factory=list)
    next_update: int = 1000
    next_message: int = 1
    pollers: int = 0
    conflicts: int = 0


class ApiError(Exception):
    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


class TelegramServer:
    """The server; `start` runs it in a thread, `serve` in the present event loop."""

    def __init__(self, token: str = TOKEN, username: str = USERNAME) -> None:
        self.token = token
        self.username = username
        self.state = State()
        self.port = 0
        self._poll_number = 0

    # --- life ---

    def __enter__(self) -> "TelegramServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Run in a thread; again on the same port after `stop`, with all that is known."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(self.port, ready.set)), name="telegram")
        self._thread.start()
        assert ready.wait(10), "the fake Telegram server did not start"

    def stop(self) -> None:
        """Stop the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the fake Telegram server did not stop"

    async def serve(self, port: int = 0, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped."""
        self._loop, self._stop, self._news = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", f"/bot{self.token}/{{method}}", self._api)
        app.router.add_route("*", "/bot{rest:.*}", self._unauthorised)
        app.router.add_get(f"/file/bot{self.token}/{{path:.+}}", self._file)
        _Control(self).add_routes(app)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]
        hooks = asyncio.create_task(self._deliver_to_webhook())
        ready()
        try:
            await self._stop.wait()
        finally:
            hooks.cancel()
            await asyncio.gather(hooks, return_exceptions=True)
            await runner.cleanup()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """For `telegram.base_url`."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """For `telegram.base_file_url`."""
        return f"{self.url}/file/bot"

    # --- what tests do and see ---

    def say(self, chat: int, text: str, **more: Any) -> int:
        """Let a customer write; returns the message id. `more` is added to the message."""
        return self.post(chat, text=text, **more)

    def post(self, chat: int, **content: Any) -> int:
        """Let a customer send anything, for example `photo=[…]`; returns the message id."""
        message = self.message(chat, **content)
        self.inject({"message": message})
        return int(message["message_id"])

    def edit(self, chat: int, message_id: int, **content: Any) -> int:
        """Let a customer edit a message; returns the update's id."""
        edited = {**self.message(chat, **content), "message_id": message_id, "edit_date": int(time.time())}
        return self.inject({"edited_message": edited})

    def message(self, chat: int = 1001, name: str = "Ann", chat_type: str = "", **more: Any) -> dict[str, Any]:
        """Return a message of a customer, to be put into an update. A chat below zero is a group."""
        user = {"id": more.pop("user", abs(chat)), "is_bot": False, "first_name": name}
        kind = chat_type or ("supergroup" if chat < 0 else "private")
        about = {"id": chat, "type": kind, **({"title": "Neighbours"} if chat < 0 else {"first_name": name})}
        number = self._call(self._next_message)
        return {"message_id": number, "date": int(time.time()), "chat": about, "from": user, **more}

    def press(self, sent: dict[str, Any], number: int = 0, user: int | None = None) -> str:
        """Let a customer press a button of a message that the bot sent; returns the callback's id."""
        rows = sent["reply_markup"]["inline_keyboard"]
        button = [one for row in rows for one in row][number]
        chat = int(sent["chat_id"])
        message = self.message(chat, text=sent["text"], reply_markup=sent["reply_markup"])
        message |= {"message_id": sent["message_id"], "from": {"id": BOT_ID, "is_bot": True, "first_name": "Bot"}}
        person = {"id": user or abs(chat), "is_bot": False, "first_name": "Ann"}
        callback = f"{sent['message_id']}{time.monotonic_ns()}"
        query = {"id": callback, "from": person, "message": message, "chat_instance": "1"}
        self.inject({"callback_query": {**query, "data": button["callback_data"]}})
        return callback

    def inject(self, update: dict[str, Any]) -> int:
        """Put in any update; returns its id."""
        return self._call(lambda: self._add(update))

    def fault(self, method: str, kind: str, **more: Any) -> None:
        """Let something go wrong; see `Fault`."""
        self._call(lambda: self.state.faults.append(Fault(method, kind, **more)))

    def sent(self, chat: int | None = None, method: str = "sendMessage") -> list[dict[str, Any]]:
        """Return the calls of a method that were carried out, oldest first."""
        return self._call(lambda: self._sent(chat, method))

    def texts(self, chat: int | None = None) -> list[str]:
        """Return the texts that reached a chat."""
        return [call["text"] for call in self.sent(chat)]

    def unconfirmed(self) -> int:
        """Return how many updates the bot has not confirmed."""
        return self._call(lambda: len(self.state.updates))

    # --- inside the server's loop ---

    def _call(self, work: Callable[[], T]) -> T:
        if not self._thread_is_serving() or threading.current_thread() is self._thread:
            return work()
        done: T | None = None

        async def run() -> None:
            nonlocal done
            done = work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)
        return done  # type: ignore[return-value]

    def _thread_is_serving(self) -> bool:
        return getattr(self, "_thread", None) is not None and self._thread.is_alive()

    def _next_message(self) -> int:
        self.state.next_message += 1
        return self.state.next_message

    def _add(self, update: dict[str, Any]) -> int:
        number = self.state.next_update
        self.state.next_update += 1
        self.state.updates.append({"update_id": number, **update})
        self._wake()
        return number

    def _wake(self) -> None:
        if hasattr(self, "_news"):
            self._news.set()
            self._news = asyncio.Event()

    def _sent(self, chat: int | None, method: str) -> list[dict[str, Any]]:
        return [
            call
            for call in self.state.calls
            if call["method"] == method and call["done"] and (chat is None or str(call.get("chat_id")) == str(chat))
        ]

    async def _unauthorised(self, request: web.Request) -> web.Response:
        return _error(ApiError(401, "Unauthorized"))

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        call: dict[str, Any] = {"method": method, **dict(request.query), "done": False, "at": time.time()}
        if request.can_read_body:
            body = await request.json() if request.content_type == "application/json" else await request.post()
            call |= dict(body)
        for name in JSON_FIELDS:
            if isinstance(call.get(name), str):
                call[name] = json.loads(call[name])
        self.state.calls.append(call)
        fault = self._fault_of(call)
        try:
            if fault:
                await self._before(fault, request)
            handler = getattr(self, f"_do_{method}", None)
            if handler is None:
                raise ApiError(404, "Not Found")
            result = await handler(call)
            call["done"] = True
        except ApiError as error:
            return _error(error)
        if fault and fault.kind == "drop_after":
            _hang_up(request)
        if fault and fault.kind == "garbage":
            return web.Response(text="<html>not json</html>")
        return web.json_response({"ok": True, "result": result})

    def _fault_of(self, call: dict[str, Any]) -> Fault | None:
        for fault in self.state.faults:
            if fault.times > 0 and fault.method in (call["method"], "*"):
                if fault.chat is not None and str(fault.chat) != str(call.get("chat_id")):
                    continue
                fault.times -= 1
                return fault
        return None

    async def _before(self, fault: Fault, request: web.Request) -> None:
        if fault.kind == "429":
            text = fault.description or f"Too Many Requests: retry after {fault.retry_after}"
            raise ApiError(429, text, retry_after=fault.retry_after)
        if fault.kind.isdigit():
            raise ApiError(int(fault.kind), fault.description or _DESCRIPTIONS.get(fault.kind, "Error"))
        if fault.kind == "drop":
            _hang_up(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)

    async def _file(self, request: web.Request) -> web.Response:
        content = self.state.files.get(request.match_info["path"])
        return web.Response(body=content) if content is not None else web.Response(status=404)

    async def _do_getMe(self, call: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": BOT_ID,
            "is_bot": True,
            "first_name": "Larkfield",
            "username": self.username,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    async def _do_getUpdates(self, call: dict[str, Any]) -> list[dict[str, Any]]:
        if self.state.webhook.get("url"):
            self.state.conflicts += 1
            raise ApiError(409, "Conflict: can't use getUpdates method while webhook is active")
        self._poll_number += 1
        mine = self._poll_number
        self._wake()
        offset = int(call.get("offset") or 0)
        while self.state.updates and self.state.updates[0]["update_id"] < offset:
            self.state.updates.popleft()
        deadline = self._loop.time() + float(call.get("timeout") or 0)
        self.state.pollers += 1
        try:
            while not self.state.updates and self._loop.time() < deadline and not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(0.5, max(0.0, deadline - self._loop.time()))):
                        await self._news.wait()
                if mine != self._poll_number:
                    self.state.conflicts += 1
                    raise ApiError(409, "Conflict: terminated by other getUpdates request")
        finally:
            self.state.pollers -= 1
        return list(self.state.updates)[: int(call.get("limit") or 100)]

    async def _do_sendMessage(self, call: dict[str, Any]) -> dict[str, Any]:
        text = call.get("text", "")
        if not text.strip():
            raise ApiError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise ApiError(400, "Bad Request: message is too long")
        for row in (call.get("reply_markup") or {}).get("inline_keyboard", []):
            for button in row:
                if not 1 <= len(button.get("callback_data", "").encode()) <= 64:
                    raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        call["message_id"] = self._next_message()
        chat = int(call["chat_id"])
        kind = "supergroup" if chat < 0 else "private"
        about = {"id": chat, "type": kind}
        return {"message_id": call["message_id"], "date": int(time.time()), "chat": about, "text": text}

    async def _do_sendChatAction(self, call: dict[str, Any]) -> bool:
        return True

    async def _do_answerCallbackQuery(self, call: dict[str, Any]) -> bool:
        return True

    async def _do_editMessageReplyMarkup(self, call: dict[str, Any]) -> bool:
        return True

    async def _do_setWebhook(self, call: dict[str, Any]) -> bool:
        self.state.webhook = {
            "url": call.get("url", ""),
            "secret": call.get("secret_token", ""),
            "allowed_updates": call.get("allowed_updates") or [],
            "max_connections": int(call.get("max_connections") or 40),
        }
        self._poll_number += 1
        self._wake()
        return True

    async def _do_deleteWebhook(self, call: dict[str, Any]) -> bool:
        self.state.webhook = {}
        return True

    async def _do_getWebhookInfo(self, call: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": self.state.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self.state.updates),
            "allowed_updates": self.state.webhook.get("allowed_updates", []),
            "max_connections": self.state.webhook.get("max_connections", 40),
        }

    async def _do_getFile(self, call: dict[str, Any]) -> dict[str, Any]:
        ref = call["file_id"]
        if ref not in self.state.files:
            raise ApiError(400, "Bad Request: invalid file_id")
        return {"file_id": ref, "file_unique_id": ref, "file_size": len(self.state.files[ref]), "file_path": ref}

    async def _deliver_to_webhook(self) -> None:
        async with ClientSession() as session:
            while True:
                news = self._news
                if self.state.webhook.get("url") and self.state.updates:
                    update = self.state.updates[0]
                    status = await self._post(session, update)
                    self.state.webhook_answers.append(status)
                    if 200 <= status < 300:
                        self.state.updates.popleft()
                        continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await news.wait()

    async def _post(self, session: ClientSession, update: dict[str, Any]) -> int:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.state.webhook["secret"]}
        try:
            async with session.post(self.state.webhook["url"], json=update, headers=headers) as answer:
                return answer.status
        except ClientError:
            return 0


_DESCRIPTIONS = {
    "400": "Bad Request: chat not found",
    "401": "Unauthorized",
    "403": "Forbidden: bot was blocked by the user",
    "404": "Not Found",
    "409": "Conflict: terminated by other getUpdates request",
    "500": "Internal Server Error",
    "502": "Bad Gateway",
}


def _error(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return web.json_response(body, status=error.code)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


class _Control:
    """The same over HTTP, for tests whose server is a process.

    POST /control/say {chat, text, …} · POST /control/update {…} · POST /control/press {message_id, number}
    POST /control/fault {method, kind, …} · GET /control/sent?method=&chat= · GET /control/state
    """

    def __init__(self, server: TelegramServer) -> None:
        self._server = server

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/control/say", self.say)
        app.router.add_post("/control/update", self.update)
        app.router.add_post("/control/press", self.press)
        app.router.add_post("/control/fault", self.fault)
        app.router.add_get("/control/sent", self.sent)
        app.router.add_get("/control/state", self.state)

    async def say(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"message_id": self._server.say(body.pop("chat"), body.pop("text"), **body)})

    async def update(self, request: web.Request) -> web.Response:
        return web.json_response({"update_id": self._server.inject(await request.json())})

    async def press(self, request: web.Request) -> web.Response:
        body = await request.json()
        found = next(call for call in self._server.sent() if call["message_id"] == body["message_id"])
        return web.json_response({"callback": self._server.press(found, body.get("number", 0), body.get("user"))})

    async def fault(self, request: web.Request) -> web.Response:
        self._server.state.faults.append(Fault(**await request.json()))
        return web.json_response({})

    async def sent(self, request: web.Request) -> web.Response:
        chat = request.query.get("chat")
        method = request.query.get("method", "sendMessage")
        return web.json_response(self._server.sent(int(chat) if chat else None, method))

    async def state(self, request: web.Request) -> web.Response:
        state = self._server.state
        return web.json_response(
            {
                "unconfirmed": len(state.updates),
                "pollers": state.pollers,
                "conflicts": state.conflicts,
                "webhook": state.webhook,
                "calls": len(state.calls),
            }
        )


def main() -> None:
    """Serve until killed; the first line printed is the address."""
    parser = argparse.ArgumentParser(description="A Bot API server for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    options = parser.parse_args()
    server = TelegramServer(options.token)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(options.port, lambda: print(server.url, flush=True)))


if __name__ == "__main__":
    main()
