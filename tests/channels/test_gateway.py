"""The one door: what comes in is safe, whole, and taken once."""

import time
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.channels.text import MAX_CHARS, normalise, one_line
from bot.conversation.errors import BadInput, Unavailable
from bot.conversation.events import Attachment
from bot.conversation.log import Log
from bot.conversation.messages import Accepted, Inbound
from bot.gateway import Gateway

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def taken(log: Log, accepted: Accepted) -> Inbound:
    ((_, fields),) = await log.redis.xrange(log.keys_of(accepted.conversation).inbox)
    return Inbound.model_validate_json(fields["m"])


@pytest.fixture
def gateway(log: Log) -> Gateway:
    return Gateway(log, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  hello \n", "hello"),
        ("e\u0301te\u0301", "été"),
        ("a\x00b\x07c\x1b[31md\x7f\x85e", "abc[31md\ne"),
        ("one\r\ntwo\rthree\u2028four\tfive", "one\ntwo\nthree\nfour\tfive"),
        ("broken \ud83d here", "broken \ufffd here"),
        ("\ud83d\ude00", "😀"),
        ("👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽", "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽"),
        ("أين طلبي؟", "أين طلبي؟"),
        ("איפה ההזמנה שלי?", "איפה ההזמנה שלי?"),
        ("मेरा ऑर्डर कहाँ है", "मेरा ऑर्डर कहाँ है"),
        ("我的订单在哪里？", "我的订单在哪里？"),
        ("/restart", "/restart"),
        ('/inform{"order_number":"LF-1"}', '/inform{"order_number":"LF-1"}'),
        ("\u200b\u200d \u2060\x00", ""),
        ("", ""),
    ],
)
def test_text_is_normalised(raw: str, clean: str) -> None:
    assert normalise(raw) == clean
    assert normalise(clean) == clean
    clean.encode()


@pytest.mark.parametrize(
    ("raw", "calm"),
    [
        ("\u202egpj.exe", "\u202bgpj.exe\u202c"),
        ("\u2067a\u202bb\nc", "\u2067a\u202bb\u202c\u2069\nc"),
        ("\u2067a\u202bb\u2069c", "\u2067a\u202bb\u202c\u2069c"),
        ("a\u202c\u2069b", "ab"),
        ("\u2068שלום\u2069 hello", "\u2068שלום\u2069 hello"),
    ],
)
def test_marks_of_direction_end_with_their_line_and_never_reorder(raw: str, calm: str) -> None:
    assert normalise(raw) == calm


def test_a_name_is_one_short_line_without_marks_of_direction() -> None:
    assert one_line("  invoice\u202efdp.exe\n\x00 x ", 20) == "invoicefdp.exe x"
    assert one_line("n" * 500, 20) == "n" * 20


def test_a_heap_of_combining_marks_takes_no_time() -> None:
    started = time.process_time()
    clean = normalise("a" + "\u0300\u0323" * 50_000)
    assert time.process_time() - started < 2
    assert len(clean) <= 31


async def test_a_message_is_taken_with_all_that_belongs_to_it(gateway: Gateway, log: Log) -> None:
    photo = Attachment(kind="photo", ref="file-1", name="it\u202e.png", size_bytes=3)
    accepted = await gateway.accept(
        "telegram", "4711", "12", " look\x00 ", attachments=[photo], sent_at=NOW, customer_name="Ann\n Ray"
    )
    inbound = await taken(log, accepted)
    assert (inbound.text, inbound.customer_name, inbound.received_at) == ("look", "Ann Ray", NOW)
    assert inbound.attachments == (photo.model_copy(update={"name": "it.png"}),)
    assert accepted.conversation == "telegram:4711"


async def test_the_same_message_id_is_taken_once(gateway: Gateway, log: Log) -> None:
    first = await gateway.accept("rest", "ann", "1", "hello")
    again = await gateway.accept("rest", "ann", "1", "hello")
    other = await gateway.accept("rest", "ben", "1", "hello")
    assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, False)
    assert again.message == first.message != other.message


async def test_a_hundred_thousand_characters_are_taken_in_full(gateway: Gateway, log: Log) -> None:
    text = "é" * MAX_CHARS
    assert (await taken(log, await gateway.accept("rest", "ann", "1", text))).text == text


@pytest.mark.parametrize("text", ["x" * (MAX_CHARS + 1), "x" * 10_000_000])
async def test_more_is_refused_with_the_limit(gateway: Gateway, text: str) -> None:
    with pytest.raises(BadInput, match=f"has {len(text)} characters; at most 100000"):
        await gateway.accept("rest", "ann", "1", text)


@pytest.mark.parametrize("text", ["", " \n ", "\x00\x01", "\u200b"])
async def test_nothing_is_refused(gateway: Gateway, text: str) -> None:
    with pytest.raises(BadInput, match="the text is empty"):
        await gateway.accept("rest", "ann", "1", text)


async def test_a_button_or_an_attachment_needs_no_text(gateway: Gateway) -> None:
    await gateway.accept("telegram", "1", "1", button="m1.0")
    await gateway.accept("telegram", "1", "2", attachments=[Attachment(kind="sticker", ref="s")])


@pytest.mark.parametrize(
    ("field", "customer", "message"),
    [
        ("customer", "", "1"),
        ("customer", "a b", "1"),
        ("customer", "a\n", "1"),
        ("customer", "x" * 129, "1"),
        ("customer", "{p01}", "1"),
        ("message_id", "ann", ""),
        ("message_id", "ann", "1:2"),
        ("message_id", "ann", "m" * 129),
    ],
)
async def test_ids_that_could_be_mistaken_are_refused(
    gateway: Gateway, field: str, customer: str, message: str
) -> None:
    with pytest.raises(BadInput, match=f"^{field} is not valid; accepted: 1 to 128"):
        await gateway.accept("rest", customer, message, "hello")


async def test_customers_of_other_systems_keep_their_names(gateway: Gateway) -> None:
    for customer in ("ann.ray+1@example.com", "auth0|5f7c", "+441234567890", "Zoë", "urn:uuid:1-2"):
        assert (await gateway.accept("rest", customer, "1", "hi")).conversation == f"rest:{customer}"


async def test_a_log_that_does_not_answer_is_unavailable() -> None:
    gateway = Gateway(Log(Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)), 4))
    with pytest.raises(Unavailable, match="send it again"):
        await gateway.accept("rest", "ann", "1", "hello")
