"""The web chat's two ways, as any client sees them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from bot.channels.web import FILES
from bot.settings import Settings, WebSettings
from tests.bot.scripted import ScriptedAssistant
from tests.channels.serving import ChatServer

TEXTS = [
    "/restart",
    '/inform{"order_number":"LF-1"}',
    "tab\tand\nline",
    "😀 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "أين طلبي رقم LF-123456؟",
    "我的订单在哪里？",
    "é" * 100_000,
]
WRONG = [
    "",
    "{",
    "[]",
    "null",
    '"hello"',
    "[" * 100_000,
    '{"type":"send"}',
    '{"type":"dance"}',
    '{"type":"send","id":5}',
]


@pytest.fixture
def server(redis_url: str) -> Iterator[ChatServer]:
    with ChatServer(redis_url, assistant=ScriptedAssistant()) as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


class Widget:
    """A client that speaks the protocol over a socket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.token = ""
        self.mail: list[dict[str, Any]] = []

    async def hello(self, token: str | None = None, after: str = "") -> dict[str, Any]:
        await self.say({"type": "hello", "token": token, "after": after})
        hello = await self.hear("hello")
        self.token = hello["token"]
        await self.hear("synced")
        return hello

    async def say(self, frame: object) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def send(self, text: str, number: int = 1, **more: object) -> dict[str, Any]:
        await self.say({"type": "send", "id": f"w{number}", "text": text, **more})
        return await self.hear("ack")

    async def hear(self, kind: str) -> dict[str, Any]:
        """Return the next frame of a kind; mail on the way is kept."""
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                assert message.type is WSMsgType.TEXT, f"{message.type} {message.data}"
                frame = json.loads(message.data)
                if frame["type"] == "mail":
                    self.mail += frame["items"]
                if frame["type"] == kind:
                    return frame

    async def until(self, count: int) -> list[dict[str, Any]]:
        while len(self.mail) < count:
            await self.hear("mail")
        return self.mail


@asynccontextmanager
async def widget(session: ClientSession, server: ChatServer, **options: Any) -> AsyncIterator[Widget]:
    async with session.ws_connect(f"{server.url}/chat/ws", **options) as socket:
        yield Widget(socket)


async def ask(session: ClientSession, server: ChatServer, path: str, body: object, status: int = 200) -> Any:
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    async with session.post(f"{server.url}/chat/{path}", data=data) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_a_message_is_acknowledged_shown_and_answered_in_order(
    server: ChatServer, session: ClientSession
) -> None:
    async with widget(session, server) as customer:
        hello = await customer.hello()
        assert (hello["new"], hello["name"], hello["limit"]) == (True, "Larkfield assistant", 100_000)
        ack = await customer.send("hello")
        own, reply, done = await customer.until(3)
        assert (own["author"], own["text"], own["message_id"], own["message"]) == (
            "customer",
            "hello",
            "w1",
            ack["message"],
        )
        assert (reply["author"], reply["text"], reply["in_reply_to"]) == ("bot", "echo hello", ack["message"])
        assert (done["kind"], done["message"]) == ("done", ack["message"])
        await customer.say({"type": "ping"})
        await customer.hear("pong")


async def test_a_pressed_button_is_known_by_its_id(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        await customer.send("hello")
        (button,) = (await customer.until(3))[1]["buttons"]
        await customer.send(button["title"], 2, button=button["id"])
        await customer.until(6)
    assert [turn[:2] for turn in server.assistant.turns] == [("hello", None), ("Yes", "/affirm")]


async def test_the_conversation_goes_on_after_a_new_connection(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        await customer.send("hello")
        mail = await customer.until(3)
    server.says("Are you still there?")
    async with widget(session, server) as again:
        hello = await again.hello(customer.token, mail[-1]["place"])
        assert (hello["new"], hello["token"]) == (False, customer.token)
        assert [item["text"] for item in again.mail] == ["Are you still there?"]
    async with widget(session, server) as other_tab:
        await other_tab.hello(customer.token)
        assert len(other_tab.mail) == 4


async def test_a_message_sent_again_is_taken_once(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        first = await customer.send("hello")
        again = await customer.send("hello")
        assert (first["duplicate"], again["duplicate"]) == (False, True)
        assert first["message"] == again["message"]
        token = customer.token
    polled = await ask(session, server, "send", {"type": "send", "token": token, "id": "w1", "text": "hello"})
    assert polled == {**first, "duplicate": True}
    assert server.customer_texts() == ["hello"]


async def test_nobody_gets_the_conversation_of_another(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as ann, widget(session, server) as eve:
        await ann.hello()
        await ann.send("my secret")
        await ann.until(3)
        for token in (None, "", "guess", ann.token[:-2] + "zz", ann.token.split(".")[0]):
            async with widget(session, server) as guess:
                assert (await guess.hello(token))["new"]
                assert guess.mail == []
        await eve.hello()
        await eve.send("hello")
        assert [item["text"] for item in await eve.until(3)] == ["hello", "echo hello", ""]
        await ask(session, server, "send", {"type": "send", "token": "guess", "id": "1", "text": "x"}, 403)


async def test_an_agent_who_types_is_announced(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        await customer.send("hello")
        mail = await customer.until(3)
        server.types()
        await customer.hear("typing")
        waiting = asyncio.create_task(
            ask(session, server, "poll", {"token": customer.token, "after": mail[-1]["place"], "wait_s": 20})
        )
        while not waiting.done():
            server.types()
            await asyncio.sleep(0.05)
        assert (await waiting)["typing"] is True


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:10])
@pytest.mark.parametrize("way", ["socket", "requests"])
async def test_text_arrives_as_it_was_sent(server: ChatServer, session: ClientSession, way: str, text: str) -> None:
    if way == "socket":
        async with widget(session, server) as customer:
            await customer.hello()
            await customer.send(text)
            await customer.until(3)
    else:
        token = (await ask(session, server, "poll", {}))["token"]
        await ask(session, server, "send", {"type": "send", "token": token, "id": "1", "text": text})
        mail: list[Any] = []
        while len(mail) < 3:
            after = mail[-1]["place"] if mail else ""
            mail += (await ask(session, server, "poll", {"token": token, "after": after, "wait_s": 5}))["items"]
        assert [item["text"] for item in mail] == [text, f"echo {text}", ""]
    assert [turn[:2] for turn in server.assistant.turns] == [(text, None)]


async def test_control_characters_and_lone_surrogates_do_no_harm(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        await customer.say('{"type":"send","id":"1","text":"a\\u0000b\\u001b[2J \\ud83d c"}')
        assert (await customer.until(3))[0]["text"] == "ab[2J \ufffd c"


async def test_wrong_frames_are_refused_and_the_socket_lives_on(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        for frame in WRONG:
            await customer.say(frame)
            refused = await customer.hear("refused")
            assert refused["error"]["code"] == "bad_input"
        await customer.socket.send_bytes(b"\xff\xfe")
        await customer.hear("refused")
        for text in ("", " \n", "\x00", "x" * 100_001):
            await customer.say({"type": "send", "id": "w9", "text": text})
            refused = await customer.hear("refused")
            assert (refused["id"], refused["error"]["code"]) == ("w9", "bad_input")
        await customer.send("still here")


async def test_who_sends_only_rubbish_is_sent_away(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        for _ in range(25):
            await customer.say("{")
        while (message := await customer.socket.receive()).type is WSMsgType.TEXT:
            assert json.loads(message.data)["type"] == "refused"
        assert customer.socket.close_code == 1008
    async with widget(session, server) as rude:
        await rude.say({"type": "send", "id": "1", "text": "no hello"})
        await rude.socket.receive()
        assert rude.socket.close_code == 1008


@pytest.mark.parametrize("body", [*WRONG, b"\xff\xfe", '{"after":"x"}', '{"token":5}', '{"wait_s":-1}'], ids=repr)
async def test_wrong_requests_are_refused_with_a_reason(
    server: ChatServer, session: ClientSession, body: str | bytes
) -> None:
    refused = await ask(session, server, "poll", body, 422)
    assert refused["error"]["code"] == "bad_input"
    assert refused["error"]["message"]
    assert (await ask(session, server, "send", body, 422))["type"] == "refused"


async def test_too_many_messages_are_refused_with_the_time_to_wait(redis_url: str, session: ClientSession) -> None:
    settings = Settings(web=WebSettings(chat_rate_per_minute=2))
    with ChatServer(redis_url, settings) as server:
        async with widget(session, server) as customer:
            await customer.hello()
            await customer.send("one", 1)
            await customer.send("two", 2)
            await customer.say({"type": "send", "id": "w3", "text": "three"})
            refused = await customer.hear("refused")
            assert refused["error"]["code"] == "rate_limited"
            assert 50 < refused["error"]["after_s"] <= 60
            body = {"type": "send", "token": customer.token, "id": "w3", "text": "three"}
            await ask(session, server, "send", body, 429)
        assert server.customer_texts() == ["one", "two"]


async def test_a_customer_has_only_so_many_sockets(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as first:
        await first.hello()
        sockets = [await session.ws_connect(f"{server.url}/chat/ws") for _ in range(10)]
        for socket in sockets:
            await socket.send_json({"type": "hello", "token": first.token})
        kinds = [json.loads((await socket.receive()).data)["type"] for socket in sockets[:-1]]
        assert kinds == ["hello"] * 9
        await sockets[-1].receive()
        assert sockets[-1].close_code == 1013
        for socket in sockets:
            await socket.close()


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("https://evil.example", False),
        ("https://shop.example.evil.example", False),
        ("null", False),
        (None, True),
    ],
)
async def test_only_named_sites_may_embed_the_chat(
    redis_url: str, session: ClientSession, origin: str | None, allowed: bool
) -> None:
    settings = Settings(web=WebSettings(allowed_origins=("https://shop.example",)))
    headers = {"Origin": origin} if origin else {}
    with ChatServer(redis_url, settings) as server:
        async with session.post(f"{server.url}/chat/poll", data="{}", headers=headers) as answer:
            assert answer.status == (200 if allowed else 403)
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        if origin:
            async with session.options(f"{server.url}/chat/send", headers=headers) as answer:
                assert (answer.headers.get("Access-Control-Allow-Origin") == origin) == allowed
        if allowed:
            async with widget(session, server, headers=headers) as customer:
                await customer.hello()
        else:
            with pytest.raises(WSServerHandshakeError, match="403"):
                await session.ws_connect(f"{server.url}/chat/ws", headers=headers)


async def test_our_own_page_may_always_use_the_chat(redis_url: str, session: ClientSession) -> None:
    settings = Settings(web=WebSettings(allowed_origins=("https://shop.example",)))
    with ChatServer(redis_url, settings) as server:
        async with widget(session, server, headers={"Origin": server.url}) as customer:
            await customer.hello()


async def test_a_stopping_server_lets_everyone_go(server: ChatServer, session: ClientSession) -> None:
    async with widget(session, server) as customer:
        await customer.hello()
        waiting = asyncio.create_task(ask(session, server, "poll", {"token": customer.token, "wait_s": 25}))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            await asyncio.to_thread(server.stop)
            assert (await waiting)["items"] == []
            message = await customer.socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)


async def test_files_are_served_for_any_site_and_cached_by_content(server: ChatServer, session: ClientSession) -> None:
    assert len((FILES / "widget.js").read_bytes()) < 20_000
    for path in ("widget.js", "demo.css", "words/de.json"):
        async with session.get(f"{server.url}/chat/{path}") as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            tag = answer.headers["ETag"]
        async with session.get(f"{server.url}/chat/{path}", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
    async with session.get(f"{server.url}/chat") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "widget.js" in await answer.text()


def test_every_language_has_every_word() -> None:
    script = (FILES / "widget.js").read_text()
    block = script.split("const words = {", 1)[1].split("};", 1)[0]
    english = dict(re.findall(r'(\w+): "([^"]+)"', block))
    assert len(english) > 15
    for file in FILES.glob("words/*.json"):
        words = json.loads(file.read_text())
        assert words.keys() == english.keys(), file.name
        for key, text in words.items():
            assert text.count("{0}") == english[key].count("{0}"), f"{file.name}: {key}"
