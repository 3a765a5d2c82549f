"""One open socket of a web-chat customer."""

import asyncio
import json
import logging
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from bot.channels.identity import Identity
from bot.channels.limits import parse_object
from bot.channels.live import Watch
from bot.channels.mailbox import REREAD_S
from bot.channels.web_chat import WebChat
from bot.channels.web_protocol import Frame, Hello, Ping, Send, mail_frame, refusal
from bot.conversation.errors import BadInput, FrontdeskError, Unavailable

logger = logging.getLogger(__name__)

HELLO_S = 10.0
"""How long a new socket may keep silent."""
SILENCE_S = 90.0
"""How long an open one may; the widget pings every 25 seconds."""
SEND_S = 30.0
"""How long a client may take to receive a frame."""
MAX_BAD_FRAMES = 20
POLICY, TOO_LARGE, RESTARTING, LATER = 1008, 1009, 1012, 1013
"""Why a socket is closed.  Source: RFC 6455, section 7.4.1, and the IANA registry of close codes."""


class _Closed(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Session:
    """Speaks with one widget until it goes away, misbehaves, or the process stops."""

    def __init__(self, socket: WebSocket, chat: WebChat) -> None:
        self._socket = socket
        self._chat = chat
        self._bad_frames = 0
        self._over = False
        """Python 3.11's wait_for, in which the Redis client sends, may swallow a cancellation: loops ask this too."""

    async def run(self) -> None:
        """Serve the socket."""
        await self._socket.accept()
        try:
            await self._serve()
        except _Closed as closed:
            await self._close(closed.code)
        except Unavailable:
            await self._close(LATER)
        except (WebSocketDisconnect, TimeoutError, OSError, RuntimeError) as error:
            # Starlette raises RuntimeError for a socket that the other side closed a moment ago.
            logger.debug("socket_ended error=%s", type(error).__name__)

    async def _serve(self) -> None:
        hello = await self._hello()
        identity = self._chat.identify(hello.token)
        conversation = self._chat.conversation(identity)
        with self._chat.one_more_socket(identity), self._chat.live.watch(conversation) as watch:
            await self._say({"type": "hello", **self._chat.greeting(identity)})
            tasks = [
                asyncio.create_task(self._tell_news(identity, "" if identity.new else hello.after, watch)),
                asyncio.create_task(self._listen(identity)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._over = True
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            done.pop().result()

    async def _hello(self) -> Hello:
        frame = None
        try:
            async with asyncio.timeout(HELLO_S):
                frame = self._parse(await self._receive())
        except TimeoutError:
            logger.debug("socket_without_hello")
        except BadInput as error:
            await self._say(refusal(error)[1])
        if not isinstance(frame, Hello):
            raise _Closed(POLICY)
        return frame

    async def _tell_news(self, identity: Identity, place: str, watch: Watch) -> None:
        synced = False
        conversation = self._chat.conversation(identity)
        while not (self._chat.live.closed or self._over):
            items = await self._chat.mailbox.after(conversation, place)
            if items:
                await self._say(mail_frame(items))
                place = items[-1].place
                continue
            if not synced:
                await self._say({"type": "synced"})
                synced = True
            if await watch.wait(REREAD_S):
                await self._say({"type": "typing"})
        raise _Closed(RESTARTING)

    async def _listen(self, identity: Identity) -> None:
        while not self._over:
            async with asyncio.timeout(SILENCE_S):
                data = await self._receive()
            frame: Hello | Send | Ping | None = None
            try:
                self._chat.frames.take(identity.customer)
                frame = self._parse(data)
                if isinstance(frame, Ping):
                    await self._say({"type": "pong"})
                elif isinstance(frame, Send):
                    await self._say(await self._chat.take(identity, frame))
                else:
                    raise BadInput("hello was said already")
            except FrontdeskError as error:
                await self._say(refusal(error, frame.id if isinstance(frame, Send) else None)[1])
                if frame is None:
                    self._count_bad_frame()

    def _parse(self, data: str) -> Hello | Send | Ping:
        return parse_object(f'{{"frame":{data}}}' if data.strip() else "", Frame).frame

    def _count_bad_frame(self) -> None:
        self._bad_frames += 1
        if self._bad_frames > MAX_BAD_FRAMES:
            raise _Closed(POLICY)

    async def _receive(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            return ""
        if len(text) > self._chat.max_bytes:
            raise _Closed(TOO_LARGE)
        return str(text)

    async def _say(self, frame: dict[str, Any]) -> None:
        async with asyncio.timeout(SEND_S):
            await self._socket.send_text(json.dumps(frame, ensure_ascii=False))

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.close(code)
        except (RuntimeError, OSError, TimeoutError, WebSocketDisconnect):
            logger.debug("socket_closed_already")
