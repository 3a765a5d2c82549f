"""A web process in a thread, on a real port: for browsers and real sockets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse
from redis.asyncio import Redis

from bot.channels.mailbox import Mailbox
from bot.channels.web import create_web_chat_router
from bot.conversation.events import Author, Button, MessageSent, utc_now
from bot.conversation.ids import ConversationId, MessageId, new_id
from bot.conversation.keys import TYPING
from bot.conversation.log import Log
from bot.conversation.ownership import Move
from bot.conversation.state import State
from bot.gateway import Gateway
from bot.settings import Settings
from tests.bot.scripted import ScriptedAssistant
from tests.channels.conftest import listening, working

T = TypeVar("T")
SECRET = b"s" * 32


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ChatServer:
    """Serves the web chat, with a worker if `assistant` is given; can be stopped and started again on its port."""

    def __init__(
        self,
        redis_url: str,
        settings: Settings | None = None,
        assistant: ScriptedAssistant | None = None,
        sockets: bool = True,
    ) -> None:
        self._redis_url = redis_url
        self._settings = settings or Settings()
        self.assistant = assistant
        self._sockets = sockets
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log: Log
        self.shop = ""
        """A page of somebody else, at `shop_url`, which is another origin for a browser."""
        self.shop_url = f"http://localhost:{self.port}/shop"

    def __enter__(self) -> "ChatServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="chat-server")
        self._thread.start()
        assert self._ready.wait(20), "the chat server did not start"

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(20)
            assert not self._thread.is_alive(), "the chat server did not stop"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            redis = Redis.from_url(self._redis_url, decode_responses=True)
            stack.push_async_callback(redis.aclose)
            self.log = Log(redis, partitions=4)
            if self.assistant:
                await stack.enter_async_context(working(self.log, self.assistant))
            mailbox = await stack.enter_async_context(listening(self.log))
            config = uvicorn.Config(
                self._app(mailbox),
                host="127.0.0.1",
                port=self.port,
                ws="wsproto",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
            server = _Server(config, self._ready)
            serving = asyncio.create_task(server.serve())
            await self._stop.wait()
            mailbox.live.close()
            server.should_exit = True
            await serving

    def _app(self, mailbox: Mailbox) -> FastAPI:
        app = FastAPI()
        if not self._sockets:

            @app.websocket("/chat/ws")
            async def refuse(socket: WebSocket) -> None:
                await socket.close(1008)

        @app.get("/shop")
        async def shop() -> HTMLResponse:
            return HTMLResponse(self.shop)

        app.include_router(create_web_chat_router(Gateway(self.log), mailbox, SECRET, self._settings))
        return app

    def conversations(self) -> list[ConversationId]:
        """The conversations that have a mailbox."""

        async def names() -> list[str]:
            return await self.log.redis.keys("*mail:web:*")

        return [ConversationId(name.split(":mail:", 1)[1]) for name in self.run(names())]

    def customer_texts(self) -> list[str]:
        """What the only customer said, as the mailbox has it."""
        (conversation,) = self.conversations()
        items = self.run(self.log.mail(conversation))
        return [item.mail.text for item in items if item.mail.author == Author.CUSTOMER]

    def says(self, text: str, author: Author = Author.AGENT, name: str = "Anna", buttons: tuple[str, ...] = ()) -> None:
        """Say something to the only customer."""
        (conversation,) = self.conversations()
        message = MessageId(new_id("m"))

        async def append() -> None:
            sent = MessageSent(
                at=utc_now(),
                message=message,
                author=author,
                author_name=name,
                text=text,
                buttons=tuple(Button(id=f"{message}.{n}", title=title) for n, title in enumerate(buttons)),
            )
            await self.log.append(await self.log.load(conversation), [sent])

        self.run(append())

    def moves(self, decide: Callable[[State, datetime], Move]) -> None:
        """Let an agent take or leave the only customer's conversation."""
        (conversation,) = self.conversations()

        async def append() -> None:
            snapshot = await self.log.load(conversation)
            move = decide(snapshot.state, utc_now())
            await self.log.append(snapshot, move.events, state=move.state)

        self.run(append())

    def types(self) -> None:
        """Let an agent type to the only customer."""
        (conversation,) = self.conversations()

        async def announce() -> None:
            await self.log.redis.publish(TYPING, conversation)

        self.run(announce())


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()
