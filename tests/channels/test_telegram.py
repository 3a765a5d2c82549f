"""Telegram, over real HTTP against a fake Bot API server: nothing a customer sends or should get is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from bot.channels import telegram_intake
from bot.channels.base import RetryLater, Undeliverable
from bot.channels.telegram import Api, TelegramChannel
from bot.channels.telegram_intake import invited_key
from bot.channels.telegram_receiver import PATH, POLLER, TelegramReceiver, webhook_secret
from bot.channels.telegram_split import MAX_UNITS, split
from bot.conversation.events import (
    Attachment,
    Author,
    Button,
    CustomerMessageEdited,
    CustomerMessageReceived,
    MessageDelivered,
    utc_now,
)
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.messages import Outbound
from bot.gateway import Gateway
from bot.sender import Sender
from bot.settings import Settings, TelegramSettings, WebSettings, WorkerSettings
from tests.bot.scripted import ScriptedAssistant
from tests.channels.conftest import app_with_errors, working
from tests.conftest import eventually
from tests.fakes.telegram_server import BOT_ID, TOKEN, USERNAME, TelegramServer

ANN = 1001
GROUP = -2002
CONVERSATION = ConversationId(f"telegram:{ANN}")
SECRET_TOKEN = SecretStr(TOKEN)


@pytest.fixture(autouse=True)
def times_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the processes set it."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer(TOKEN) as server:
        yield server


def settings_of(telegram: TelegramServer, **web: str) -> Settings:
    return Settings(
        telegram=TelegramSettings(base_url=telegram.base_url, base_file_url=telegram.base_file_url, timeout_s=2),
        web=WebSettings(**web),
        worker=WorkerSettings(lease_s=0.6, send_tries=3, send_backoff_s=0.05),
    )


@asynccontextmanager
async def running(
    log: Log, telegram: TelegramServer, tell: Callable[[str], None] = print, **web: str
) -> AsyncIterator[TelegramReceiver]:
    """Run a receiver."""
    receiver = TelegramReceiver(SECRET_TOKEN, settings_of(telegram, **web), Gateway(log), log, tell, backoff_s=0.02)
    task = asyncio.create_task(receiver.run())
    try:
        yield receiver
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def receiver(log: Log, telegram: TelegramServer) -> AsyncIterator[TelegramReceiver]:
    async with running(log, telegram) as receiver:
        yield receiver


@pytest.fixture
async def channel(telegram: TelegramServer) -> AsyncIterator[TelegramChannel]:
    async with Api(SECRET_TOKEN, settings_of(telegram).telegram) as api:
        yield TelegramChannel(api)


@pytest.fixture
async def sender(log: Log, telegram: TelegramServer, channel: TelegramChannel) -> AsyncIterator[None]:
    """Run a sender, and a worker that echoes."""
    stop = asyncio.Event()
    async with working(log, ScriptedAssistant()):
        task = asyncio.create_task(Sender(log, {"telegram": channel}, settings_of(telegram)).run(stop))
        try:
            yield
        finally:
            stop.set()
            await task


async def received(log: Log, conversation: ConversationId = CONVERSATION) -> list[CustomerMessageReceived]:
    found = [one.event for one in await log.read(conversation)]
    return [event for event in found if isinstance(event, CustomerMessageReceived)]


async def inbox(log: Log) -> list[dict[str, str]]:
    return [fields for keys in log.keys for _, fields in await log.redis.xrange(keys.inbox)]


async def first(log: Log) -> CustomerMessageReceived:
    return (await eventually(lambda: received(log), "a message"))[0]


def outbound(text: str, *buttons: str) -> Outbound:
    return Outbound(
        conversation=CONVERSATION,
        message=MessageId("m1"),
        author=Author.BOT,
        text=text,
        buttons=tuple(Button(id=f"m1.{number}", title=title) for number, title in enumerate(buttons)),
        owner_version=0,
        at=utc_now(),
    )


# --- in ---


@pytest.mark.usefixtures("receiver", "sender")
async def test_a_message_is_taken_answered_and_delivered(log: Log, telegram: TelegramServer) -> None:
    telegram.say(ANN, "hello")
    await eventually(lambda: telegram.texts(ANN) == ["echo hello"], "the answer")
    event = await first(log)
    assert (event.text, event.customer_name) == ("hello", "Ann")
    assert event.sent_at is not None
    await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
    await eventually(lambda: telegram.sent(ANN, "sendChatAction"), "typing")


async def test_messages_keep_their_order_and_come_once_though_updates_come_again(
    log: Log, telegram: TelegramServer
) -> None:
    for number in range(150):
        telegram.say(ANN, f"number {number}")
    telegram.fault("getUpdates", "drop_after")
    telegram.fault("getUpdates", "502")
    telegram.fault("getUpdates", "garbage")
    async with working(log, ScriptedAssistant()):
        async with running(log, telegram):
            await eventually(lambda: telegram.unconfirmed() == 0, "all confirmed", 20)
        again = {"message": {**telegram.message(ANN, text="number 0"), "message_id": 2}}
        telegram.inject(again)
        async with running(log, telegram):
            telegram.say(ANN, "last")

            async def all_there() -> bool:
                return (await received(log))[-1].text == "last"

            await eventually(all_there, "the last message", 20)
    texts = [event.text for event in await received(log)]
    assert texts == [*(f"number {number}" for number in range(150)), "last"]


@pytest.mark.parametrize(
    "text",
    ["/slow --force", '/greet{"a": 1}', "🙂" * 2048, "x" * 4096, "مرحبا، أين طلبي؟", "a\tb\nc", "{}[]'\"; DROP"],
)
@pytest.mark.usefixtures("receiver", "sender")
async def test_any_text_is_taken_as_it_is(text: str, log: Log, telegram: TelegramServer) -> None:
    telegram.say(ANN, text)
    assert (await first(log)).text == text
    expected = split(f"echo {text}")
    await eventually(lambda: telegram.texts(ANN) == expected, "the answer")


@pytest.mark.usefixtures("receiver", "sender")
async def test_control_characters_go_and_a_text_of_nothing_else_is_still_seen(
    log: Log, telegram: TelegramServer
) -> None:
    telegram.say(ANN, "a\x00b\x1bc")
    assert (await first(log)).text == "abc"
    telegram.say(ANN, "\x00\u200b")

    async def second() -> list[CustomerMessageReceived]:
        return (await received(log))[1:]

    (event,) = await eventually(second, "the second message")
    assert (event.text, event.attachments) == ("", (Attachment(kind="other"),))


@pytest.mark.usefixtures("receiver", "sender")
async def test_the_start_of_the_link_from_a_group_is_a_plain_start(log: Log, telegram: TelegramServer) -> None:
    telegram.say(ANN, "/start group")
    assert (await first(log)).text == "/start"


@pytest.mark.usefixtures("receiver", "sender")
async def test_an_edit_changes_the_message_and_a_live_location_does_not(log: Log, telegram: TelegramServer) -> None:
    number = telegram.say(ANN, "helo")
    telegram.edit(ANN, number, location={"latitude": 1.0, "longitude": 2.0})
    telegram.edit(ANN, number, text="hello")

    async def edits() -> list[CustomerMessageEdited]:
        found = [one.event for one in await log.read(CONVERSATION)]
        return [event for event in found if isinstance(event, CustomerMessageEdited)]

    (edit,) = await eventually(edits, "the edit")
    assert (edit.channel_message, edit.text) == (f"{ANN}-{number}", "hello")
    assert len(await received(log)) == 1


FILE = {"file_id": "F1", "file_unique_id": "u", "file_size": 99}
MEDIA = [
    (
        {"photo": [{**FILE, "file_id": "S", "width": 9, "height": 9}, {**FILE, "width": 90, "height": 90}]},
        Attachment(kind="photo", ref="F1", size_bytes=99),
    ),
    (
        {"document": {**FILE, "file_name": "bill.pdf", "mime_type": "application/pdf"}},
        Attachment(kind="document", ref="F1", name="bill.pdf", mime="application/pdf", size_bytes=99),
    ),
    (
        {"voice": {**FILE, "duration": 3, "mime_type": "audio/ogg"}},
        Attachment(kind="voice", ref="F1", mime="audio/ogg", size_bytes=99),
    ),
    (
        {"audio": {**FILE, "duration": 3, "title": "Song"}},
        Attachment(kind="audio", ref="F1", name="Song", size_bytes=99),
    ),
    (
        {"video": {**FILE, "width": 1, "height": 1, "duration": 1}},
        Attachment(kind="video", ref="F1", size_bytes=99),
    ),
    ({"video_note": {**FILE, "length": 1, "duration": 1}}, Attachment(kind="video", ref="F1", size_bytes=99)),
    (
        {"animation": {**FILE, "width": 1, "height": 1, "duration": 1}, "document": FILE},
        Attachment(kind="video", ref="F1", size_bytes=99),
    ),
    (
        {
            "sticker": {
                **FILE,
                "width": 1,
                "height": 1,
                "is_animated": False,
                "is_video": False,
                "type": "regular",
                "emoji": "👍",
            }
        },
        Attachment(kind="sticker", ref="F1", name="👍", size_bytes=99),
    ),
    ({"location": {"latitude": 51.5, "longitude": -0.1}}, Attachment(kind="location", latitude=51.5, longitude=-0.1)),
    (
        {"contact": {"phone_number": "+100", "first_name": "Bo", "last_name": "Li"}},
        Attachment(kind="contact", name="Bo Li +100"),
    ),
    ({"dice": {"emoji": "🎲", "value": 3}}, Attachment(kind="other")),
    ({"hologram_of_2031": {"depth": 3}}, Attachment(kind="other")),
]


@pytest.mark.parametrize(("content", "attachment"), MEDIA, ids=[next(iter(content)) for content, _ in MEDIA])
@pytest.mark.usefixtures("receiver", "sender")
async def test_whatever_is_sent_is_kept(
    content: dict[str, object], attachment: Attachment, log: Log, telegram: TelegramServer
) -> None:
    telegram.post(ANN, **content, caption="see here")
    event = await first(log)
    known = attachment.kind != "other"
    assert event.text == "see here"
    assert event.attachments == ((attachment,) if known else ())
    if not known:
        telegram.post(ANN, **content)

        async def second() -> list[CustomerMessageReceived]:
            return (await received(log))[1:]

        assert (await eventually(second, "the second"))[0].attachments == (attachment,)


@pytest.mark.usefixtures("receiver", "sender")
async def test_a_pressed_button_is_taken_once_and_answered(log: Log, telegram: TelegramServer) -> None:
    telegram.say(ANN, "hello")
    (sent,) = await eventually(lambda: telegram.sent(ANN), "the answer")
    callback = telegram.press(sent)

    async def second() -> list[CustomerMessageReceived]:
        return (await received(log))[1:]

    (event,) = await eventually(second, "the press")
    button = sent["reply_markup"]["inline_keyboard"][0][0]
    assert (event.text, event.button) == ("Yes", button["callback_data"])
    (answer,) = await eventually(lambda: telegram.sent(method="answerCallbackQuery"), "the answer to the press")
    assert answer["callback_query_id"] == callback


@pytest.mark.usefixtures("receiver", "sender")
async def test_a_button_that_is_none_of_ours_does_not_vanish(log: Log, telegram: TelegramServer) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Old one", "callback_data": "not: ours!"}]]}
    telegram.press({"chat_id": ANN, "message_id": 7, "text": "Pick", "reply_markup": keyboard})
    event = await first(log)
    assert (event.text, event.button, event.attachments) == ("Old one", None, (Attachment(kind="other"),))


async def test_what_can_not_be_read_or_is_not_for_us_holds_nothing_up(
    log: Log, telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    number = telegram.inject({"message": {"text": "private words"}})
    telegram.inject({"channel_post": telegram.message(-9, "News", "channel", text="news")})
    telegram.inject({"message": {**telegram.message(ANN), "from": {"id": 5, "is_bot": True, "first_name": "B"}}})
    telegram.inject({"update_of_2031": {}})
    person = {"id": ANN, "is_bot": False, "first_name": "Ann"}
    telegram.inject({"callback_query": {"id": "not: an id", "from": person, "data": "x", "chat_instance": "1"}})
    telegram.say(ANN, "hello")
    async with running(log, telegram):
        await eventually(lambda: telegram.unconfirmed() == 0, "all confirmed")
    assert len(await inbox(log)) == 1
    assert f"telegram_update_not_understood update={number}" in caplog.text
    assert "telegram_update_not_accepted" in caplog.text
    assert "private words" not in caplog.text


class _Away:
    """Stands before the log and fails as if Redis were away, so many times."""

    def __init__(self, log: Log, times: int) -> None:
        self.times = times
        self._accept = log.accept

    async def __call__(self, inbound):  # type: ignore[no-untyped-def]
        if self.times > 0:
            self.times -= 1
            raise RedisConnectionError("away")
        return await self._accept(inbound)


async def test_an_update_is_confirmed_only_once_it_is_safe(
    log: Log, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = _Away(log, times=10**6)
    monkeypatch.setattr(log, "accept", away)
    telegram.say(ANN, "one")
    telegram.say(ANN, "two")
    async with running(log, telegram):
        await eventually(lambda: away.times < 10**6 - 3, "some tries")
        assert telegram.unconfirmed() == 2
        away.times = 0
        await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
    assert [('"text":"one"' in row["m"], '"text":"two"' in row["m"]) for row in await inbox(log)] == [
        (True, False),
        (False, True),
    ]


async def test_only_one_of_two_processes_polls_and_the_other_takes_over(log: Log, telegram: TelegramServer) -> None:
    async with running(log, telegram):
        async with running(log, telegram):
            for number in range(5):
                telegram.say(ANN, f"{number}")
                await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
            assert await log.redis.exists(POLLER)
        telegram.say(ANN, "last")
        await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
        assert telegram.state.conflicts == 0
    assert not await log.redis.exists(POLLER)
    assert len(await inbox(log)) == 6


@pytest.mark.parametrize(("fault", "said"), [("409", "telegram_conflict"), ("401", "telegram_token_refused")])
async def test_a_wrong_token_and_a_second_poller_are_told_once_and_outlived(
    fault: str, said: str, log: Log, telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.fault("getUpdates", fault, times=2)
    telegram.fault("getMe", fault, times=1)
    caplog.set_level(logging.DEBUG, logger="bot")
    telegram.say(ANN, "hello")
    told: list[str] = []
    async with running(log, telegram, told.append):
        await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
    assert said in caplog.text
    assert len(told) == 1
    assert "token" in told[0]
    assert not any(TOKEN in record.getMessage() for record in caplog.records if record.name.startswith(("bot", "http")))


async def test_waiting_is_as_long_as_telegram_asks(log: Log, telegram: TelegramServer) -> None:
    telegram.fault("getUpdates", "429", retry_after=1)
    telegram.say(ANN, "hello")
    async with running(log, telegram):
        await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
    refused, taken = [call["at"] for call in telegram.state.calls if call["method"] == "getUpdates"][:2]
    assert taken - refused >= 1


async def test_polling_removes_a_webhook(log: Log, telegram: TelegramServer) -> None:
    telegram.state.webhook = {"url": "https://old.example/hook", "secret": ""}
    async with running(log, telegram):
        await eventually(lambda: telegram.state.webhook == {}, "no webhook")


# --- groups ---


def entity(kind: str, text: str, part: str) -> dict[str, object]:
    return {"type": kind, "offset": text.index(part), "length": len(part)}


async def test_in_a_group_only_those_who_address_it_get_the_link_and_nothing_is_recorded(
    log: Log, telegram: TelegramServer
) -> None:
    name = f"@{USERNAME}"
    telegram.say(GROUP, "when do they open?", user=11)
    telegram.say(GROUP, "ask @another", user=11, entities=[entity("mention", "ask @another", "@another")])
    asked = f"{name.upper()} where is my order?"
    telegram.say(GROUP, asked, user=12, entities=[entity("mention", asked, name.upper())])
    telegram.say(GROUP, f"/help{name}", user=13, entities=[entity("bot_command", f"/help{name}", f"/help{name}")])
    ours = {
        **telegram.message(GROUP, text="hi"),
        "from": {"id": BOT_ID, "is_bot": True, "first_name": "B"},
    }
    telegram.say(GROUP, "and mine?", user=14, reply_to_message=ours)
    telegram.say(GROUP, asked, user=12, entities=[entity("mention", asked, name.upper())])
    async with running(log, telegram):
        await eventually(lambda: len(telegram.sent(GROUP)) == 3, "three links")
        await eventually(lambda: telegram.unconfirmed() == 0, "the confirmation")
    assert set(telegram.texts(GROUP)) == {
        telegram_intake.GROUP_ANSWER.format(link=f"https://t.me/{USERNAME}?start=group")
    }
    assert len(telegram.sent(GROUP)) == 3
    assert await inbox(log) == []


async def test_a_link_that_could_not_be_sent_is_sent_when_asked_again(log: Log, telegram: TelegramServer) -> None:
    text = f"@{USERNAME} hello"
    telegram.fault("sendMessage", "500")
    async with running(log, telegram):
        telegram.say(GROUP, text, user=12, entities=[entity("mention", text, f"@{USERNAME}")])
        await eventually(lambda: any(call["method"] == "sendMessage" for call in telegram.state.calls), "a try")

        async def forgotten() -> bool:
            return not await log.redis.exists(invited_key(GROUP, 12))

        await eventually(forgotten, "the mark gone")
        telegram.say(GROUP, text, user=12, entities=[entity("mention", text, f"@{USERNAME}")])
        await eventually(lambda: len(telegram.sent(GROUP)) == 1, "the link")


# --- webhook ---


async def test_the_webhook_is_set_once_with_a_secret_and_again_when_the_secret_changes(
    log: Log, telegram: TelegramServer
) -> None:
    for _ in range(2):
        async with running(log, telegram, public_url="https://shop.example/"):
            await eventually(lambda: telegram.sent(method="getWebhookInfo"), "a look")
            await eventually(lambda: telegram.state.webhook.get("url"), "a webhook")
    (call,) = telegram.sent(method="setWebhook")
    assert call["url"].startswith(f"https://shop.example{PATH}?v=")
    assert call["secret_token"] == webhook_secret(SECRET_TOKEN, TelegramSettings())
    settings = settings_of(telegram, public_url="https://shop.example")
    secret = settings.telegram.model_copy(update={"webhook_secret": SecretStr("another")})
    receiver = TelegramReceiver(
        SECRET_TOKEN, settings.model_copy(update={"telegram": secret}), Gateway(log), log, print, backoff_s=0.02
    )
    task = asyncio.create_task(receiver.run())
    await eventually(lambda: telegram.state.webhook["secret"] == "another", "the new secret")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_webhook_takes_updates_from_telegram_only(
    log: Log, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(log, telegram, public_url="https://shop.example") as receiver:
        await eventually(lambda: telegram.state.webhook.get("url"), "a webhook")
        app = app_with_errors()
        app.include_router(receiver.create_router())
        secret = {"X-Telegram-Bot-Api-Secret-Token": telegram.state.webhook["secret"]}
        update = {"update_id": 5, "message": telegram.message(ANN, text="hello")}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            assert (await client.post(PATH, json=update)).status_code == 403
            wrong = {"X-Telegram-Bot-Api-Secret-Token": "wrong"}
            assert (await client.post(PATH, json=update, headers=wrong)).status_code == 403
            assert (await client.post(PATH, content=b"[1]", headers=secret)).status_code == 422
            assert await inbox(log) == []
            away = _Away(log, times=1)
            monkeypatch.setattr(log, "accept", away)
            statuses = [(await client.post(PATH, json=update, headers=secret)).status_code for _ in range(3)]
    assert statuses == [503, 200, 200]
    assert len(await inbox(log)) == 1


async def test_without_a_public_address_the_webhook_is_closed(log: Log, telegram: TelegramServer) -> None:
    async with running(log, telegram) as receiver:
        app = app_with_errors()
        app.include_router(receiver.create_router())
        secret = {"X-Telegram-Bot-Api-Secret-Token": webhook_secret(SECRET_TOKEN, TelegramSettings())}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example") as client:
            assert (await client.post(PATH, json={"update_id": 1}, headers=secret)).status_code == 403


# --- out ---


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "text",
    [
        "Short.",
        "x" * 4096,
        "A sentence of some length that ends here. " * 300,
        "word " * 3000,
        "🙂" * 5000,
        "x" * 10_000,
        "。".join("字" * 700 for _ in range(9)),
    ],
)
def test_parts_fit_and_lose_nothing(text: str) -> None:
    parts = split(text)
    assert all(0 < units(part) <= MAX_UNITS for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert len(parts) <= units(text) // 2048 + 1


def test_parts_end_with_sentences() -> None:
    parts = split("The parcel is on its way! " * 400)
    assert len(parts) > 1
    assert all(part.endswith("way!") for part in parts)
    assert split("x" * 3 + ". " + "y" * 3, limit=4) == ["xxx.", "yyy"]


async def test_buttons_come_with_the_last_part(channel: TelegramChannel, telegram: TelegramServer) -> None:
    message = outbound("This is a sentence. " * 300, "Yes", "No")
    parts = channel.parts(message)
    for number, part in enumerate(parts):
        await channel.send(message, part, last=number == len(parts) - 1)
    calls = telegram.sent(ANN)
    assert [call["text"] for call in calls] == parts
    assert [("reply_markup" in call) for call in calls] == [False, True]
    rows = calls[-1]["reply_markup"]["inline_keyboard"]
    assert [(row[0]["text"], row[0]["callback_data"]) for row in rows] == [("Yes", "m1.0"), ("No", "m1.1")]


@pytest.mark.parametrize(
    ("kind", "after_s", "uncertain"),
    [("429", 7, False), ("500", None, True), ("502", None, True), ("drop_after", None, True), ("401", None, False)],
)
async def test_what_may_pass_is_tried_later(
    kind: str, after_s: float | None, uncertain: bool, channel: TelegramChannel, telegram: TelegramServer
) -> None:
    telegram.fault("sendMessage", kind, retry_after=7)
    with pytest.raises(RetryLater) as caught:
        await channel.send(outbound("hi"), "hi", last=True)
    assert (caught.value.after_s, caught.value.uncertain) == (after_s, uncertain)
    assert TOKEN not in str(caught.value)


async def test_a_server_that_is_slow_or_gone_is_told_apart(channel: TelegramChannel, telegram: TelegramServer) -> None:
    telegram.fault("sendMessage", "slow", seconds=3)
    with pytest.raises(RetryLater) as slow:
        await channel.send(outbound("hi"), "hi", last=True)
    telegram.stop()
    with pytest.raises(RetryLater) as gone:
        await channel.send(outbound("hi"), "hi", last=True)
    telegram.start()
    assert (slow.value.uncertain, gone.value.uncertain) == (True, False)


@pytest.mark.parametrize("kind", ["400", "403"])
async def test_what_can_not_pass_is_given_up(kind: str, channel: TelegramChannel, telegram: TelegramServer) -> None:
    telegram.fault("sendMessage", kind)
    with pytest.raises(Undeliverable, match="Telegram: "):
        await channel.send(outbound("private words"), "private words", last=True)


@pytest.mark.usefixtures("receiver", "sender")
async def test_faults_on_the_way_out_lose_nothing_and_keep_the_order(log: Log, telegram: TelegramServer) -> None:
    telegram.fault("sendMessage", "429", retry_after=1)
    telegram.fault("sendMessage", "500")
    telegram.fault("sendMessage", "drop")
    for number in range(3):
        telegram.say(ANN, f"{number}")
    await eventually(lambda: telegram.texts(ANN) == ["echo 0", "echo 1", "echo 2"], "the answers")

    async def delivered() -> list[MessageDelivered]:
        found = [one.event for one in await log.read(CONVERSATION)]
        events = [event for event in found if isinstance(event, MessageDelivered)]
        return events if len(events) == 3 else []

    assert [event.repeated for event in await eventually(delivered, "deliveries")] == [2, 0, 0], "500 and drop"


@pytest.mark.usefixtures("receiver", "sender")
async def test_a_customer_who_blocked_the_bot_is_in_the_dead_letters(log: Log, telegram: TelegramServer) -> None:
    telegram.fault("sendMessage", "403", chat=ANN)
    telegram.say(ANN, "hello")
    dead = log.keys_of(CONVERSATION).dead

    async def letters() -> list[str]:
        return list((await log.redis.hgetall(dead)).values())

    (letter,) = await eventually(letters, "the dead letter")
    assert "blocked by the user" in letter
