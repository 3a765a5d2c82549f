"""The REST channel over a running worker."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import Request
from httpx import ASGITransport, AsyncClient

from bot.channels.mailbox import Mailbox
from bot.channels.rest import create_router
from bot.conversation.errors import Forbidden
from bot.conversation.events import Author, MessageSent, utc_now
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.log import Log
from bot.gateway import Gateway
from bot.settings import WebSettings
from tests.channels.conftest import app_with_errors
from tests.conftest import eventually

PATH = "/api/v1/messages"


async def authorise(request: Request) -> str:
    if request.headers.get("authorization") != "Bearer good":
        raise Forbidden("no token")
    return "token-1"


def client_of(log: Log, mailbox: Mailbox, **settings: int) -> AsyncClient:
    app = app_with_errors()
    app.include_router(create_router(Gateway(log), mailbox, authorise, WebSettings(**settings)))
    headers = {"Authorization": "Bearer good"}
    return AsyncClient(transport=ASGITransport(app), base_url="http://test", headers=headers)


@pytest.fixture
async def client(log: Log, mailbox: Mailbox) -> AsyncIterator[AsyncClient]:
    async with client_of(log, mailbox) as client:
        yield client


async def test_a_message_is_taken_and_answered_later(client: AsyncClient, worker: None) -> None:
    answer = await client.post(PATH, json={"customer": "ann", "text": "hello"})
    assert answer.status_code == 202
    receipt = answer.json()
    assert receipt == {"message": receipt["message"], "conversation": "rest:ann", "duplicate": False}

    async def items() -> list[dict]:
        found = (await client.get(PATH, params={"customer": "ann"})).json()["items"]
        return found if len(found) == 3 else []

    own, reply, done = await eventually(items)
    assert (own["author"], own["text"], own["message"]) == ("customer", "hello", receipt["message"])
    assert (reply["author"], reply["text"], reply["in_reply_to"]) == ("bot", "echo hello", receipt["message"])
    assert reply["author_name"] == "Larkfield assistant"
    assert (done["kind"], done["message"]) == ("done", receipt["message"])


async def test_with_wait_the_replies_come_at_once(client: AsyncClient, worker: None) -> None:
    for text in ("one", "two"):
        answer = await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": text})
        assert answer.status_code == 200
        (reply,) = answer.json()["replies"]
        assert reply["text"] == f"echo {text}"
        assert [button["title"] for button in reply["buttons"]] == ["Yes"]


async def test_a_pressed_button_means_what_the_bot_meant(
    client: AsyncClient, worker: None, assistant: "object"
) -> None:
    answer = await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": "hello"})
    button = answer.json()["replies"][0]["buttons"][0]
    await client.post(
        PATH, params={"wait_s": 10}, json={"customer": "ann", "text": button["title"], "button": button["id"]}
    )
    assert [turn[:2] for turn in assistant.turns] == [("hello", None), ("Yes", "/affirm")]


async def test_a_handed_over_message_has_the_notice_and_then_no_replies(client: AsyncClient, worker: None) -> None:
    said = {}
    for text in ("human", "hello?"):
        answer = await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": text})
        said[text] = [(reply["author"], bool(reply["text"])) for reply in answer.json()["replies"]]
    assert said == {"human": [("system", True)], "hello?": []}


async def test_waiting_ends_with_202_when_no_worker_is_there(client: AsyncClient) -> None:
    answer = await client.post(PATH, params={"wait_s": 0.1}, json={"customer": "ann", "text": "hello"})
    assert answer.status_code == 202
    assert "replies" not in answer.json()


async def test_a_replayed_message_id_has_one_turn_and_the_same_replies(client: AsyncClient, worker: None) -> None:
    body = {"customer": "ann", "text": "hello", "message_id": "order-42/1".replace("/", ".")}
    first = (await client.post(PATH, params={"wait_s": 10}, json=body)).json()
    await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": "in between"})
    again = await client.post(PATH, params={"wait_s": 10}, json=body)
    assert again.status_code == 200
    assert again.json() == {**first, "duplicate": True}
    items = (await client.get(PATH, params={"customer": "ann"})).json()["items"]
    assert [item["text"] for item in items if item["kind"] == "message"] == [
        "hello",
        "echo hello",
        "in between",
        "echo in between",
    ]
    assert items[0]["message_id"] == "order-42.1"


async def test_of_the_same_message_sent_many_times_at_once_one_is_taken(client: AsyncClient, worker: None) -> None:
    body = {"customer": "ann", "text": "hello", "message_id": "1"}
    answers = await asyncio.gather(*(client.post(PATH, params={"wait_s": 10}, json=body) for _ in range(8)))
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + 7 * [True]
    assert len({answer.json()["message"] for answer in answers}) == 1
    assert all(len(answer.json()["replies"]) == 1 for answer in answers)


@pytest.mark.parametrize(
    "text",
    [
        "/restart",
        '/inform{"order_number":"LF-1"}',
        "tab\tand\nline",
        "😀 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "أين طلبي رقم LF-123456؟",
        "איפה ההזמנה שלי?",
        "我的订单在哪里？",
        "é" * 100_000,
        "😀" * 100_000,
    ],
    ids=lambda text: text[:12],
)
async def test_text_arrives_as_it_was_sent(client: AsyncClient, worker: None, assistant: "object", text: str) -> None:
    answer = await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": text})
    assert answer.status_code == 200
    assert [turn[:2] for turn in assistant.turns] == [(text, None)]


async def test_control_characters_and_lone_surrogates_do_no_harm(client: AsyncClient, worker: None) -> None:
    body = '{"customer": "ann", "text": "a\\u0000b\\u001b[2J \\ud83d c"}'
    answer = await client.post(PATH, params={"wait_s": 10}, content=body)
    assert answer.json()["replies"][0]["text"] == "echo ab[2J \ufffd c"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"text": "no customer"}',
        b'{"customer": 5, "text": "x"}',
        b'{"customer": "ann", "text": ["x"]}',
        b'{"customer": "ann", "text": "x", "message_id": 7}',
        b'{"customer": "ann", "text": "x", "owner": "me"}',
        b'{"customer": "ann", "text": "x", "\\ud83d": 1}',
        b'{"customer": "", "text": "x"}',
        b'{"customer": "ann", "text": "   "}',
        b'{"customer": "ann", "text": "x", "message_id": ""}',
        json.dumps({"customer": "ann", "text": "x" * 100_001}).encode(),
        json.dumps({"customer": "ann", "text": "x" * 3_000_000}).encode(),
    ],
    ids=lambda body: repr(body[:32]),
)
async def test_wrong_input_is_refused_with_a_reason(client: AsyncClient, log: Log, body: bytes) -> None:
    answer = await client.post(PATH, content=body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not await log.redis.keys("*inbox")


async def test_without_a_token_nothing_is_read(client: AsyncClient) -> None:
    for answer in (
        await client.post(PATH, content=b"{", headers={"Authorization": "Bearer bad"}),
        await client.get(PATH, params={"customer": "ann"}, headers={"Authorization": "Bearer bad"}),
    ):
        assert answer.status_code == 403


async def test_too_many_requests_are_refused(log: Log, mailbox: Mailbox) -> None:
    async with client_of(log, mailbox, rate_per_minute=2) as client:
        codes = [(await client.post(PATH, json={"customer": "ann", "text": "hello"})).status_code for _ in range(3)]
    assert codes == [202, 202, 429]


async def test_reading_goes_on_where_it_stopped_and_waits_for_more(client: AsyncClient, log: Log, worker: None) -> None:
    await client.post(PATH, params={"wait_s": 10}, json={"customer": "ann", "text": "hello"})
    after = (await client.get(PATH, params={"customer": "ann"})).json()["after"]
    empty = (await client.get(PATH, params={"customer": "ann", "after": after})).json()
    assert empty == {"items": [], "after": after}
    waiting = asyncio.create_task(client.get(PATH, params={"customer": "ann", "after": after, "wait_s": 10}))
    snapshot = await log.load(ConversationId("rest:ann"))
    sent = MessageSent(at=utc_now(), message=MessageId("m1"), author=Author.AGENT, author_name="Anna", text="Hi")
    await log.append(snapshot, [sent])
    (item,) = (await waiting).json()["items"]
    assert (item["author"], item["author_name"], item["text"]) == ("agent", "Anna", "Hi")


@pytest.mark.parametrize("after", ["x", "1", "(1-1", "1-1-1", "9" * 30 + "-0"])
async def test_a_place_that_can_not_be_is_refused(client: AsyncClient, after: str) -> None:
    assert (await client.get(PATH, params={"customer": "ann", "after": after})).status_code == 422
