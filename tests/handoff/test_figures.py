"""Figures and transcripts of what really happened, through the log, the projector and PostgreSQL."""

import csv
import io
import json
import re
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from bot.conversation.errors import BadInput, NotFound
from bot.conversation.events import Outcome, utc_now
from bot.conversation.ids import AgentId, ConversationId
from bot.conversation.log import Log
from bot.conversation.ownership import Agent
from bot.settings import Settings
from handoff.database import Database
from handoff.desk import Desk
from handoff.figures import Figures, Period, as_csv, definitions_page, parse_since, view
from handoff.metrics import By
from handoff.projector import Projector
from handoff.prometheus import exposition
from handoff.transcripts import Format, render, whole
from tests.bot.test_worker import CONVERSATION, Chat

ANNA = Agent(AgentId("anna"), "Anna")
SETTINGS = Settings()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def told(log: Log, database: Database) -> Desk:
    """A conversation: answered, handed over, served by Anna, resolved."""
    desk = Desk(log, database, SETTINGS)
    chat = Chat(log)
    chat.now = utc_now()
    await chat.say("where is my parcel 📦")
    await chat.say("human")
    await Projector(log, database).catch_up()
    await desk.claim(CONVERSATION, ANNA)
    await desk.reply(CONVERSATION, ANNA, "It is on its way: see you tomorrow.")
    await desk.note(CONVERSATION, ANNA, "parcel was late")
    await desk.resolve(CONVERSATION, ANNA, Outcome.SOLVED, "fine")
    await Projector(log, database).catch_up()
    return desk


def joined_letters(pdf: bytes) -> list[str]:
    """Return the names of Arabic letters in the form that they have beside others, among the pictures of a PDF."""
    packed = re.findall(rb"/FlateDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)
    streams = [zlib.decompress(one) for one in packed]
    fonts = [TTFont(io.BytesIO(stream)) for stream in streams if stream.startswith(b"\x00\x01\x00\x00")]
    assert fonts
    return [name for font in fonts for name in font.getGlyphOrder() if name.startswith("uniFE")]


def period() -> Period:
    return Period(utc_now() - timedelta(days=1), utc_now() + timedelta(minutes=1))


async def test_figures_reconcile_with_what_happened(told: Desk, database: Database) -> None:
    figures = await Figures(database, SETTINGS.hours, 86_400).report(period(), utc_now())
    values = {one.definition.id: one for one in figures}
    assert values["episodes"].count == values["episodes_engaged"].count == 1
    assert values["outcome_human_served"].value == 100
    assert values["containment_raw"].value == 0
    assert values["escalation_requested"].count == values["escalation_served"].count == 1
    assert values["first_response_human"].count == 1
    assert values["resolution"].count == 1
    (episode,) = values["outcome_human_served"].episodes
    table = list(csv.DictReader(io.StringIO(as_csv([view(one, episodes=True) for one in figures]))))
    assert {row["id"]: row["episodes"] for row in table}["outcome_human_served"] == episode
    by_reason = await Figures(database, SETTINGS.hours, 86_400).report(period(), utc_now(), By.REASON)
    assert {one.group for one in by_reason} == {"customer_request"}


async def test_a_transcript_tells_everything_in_order(told: Desk) -> None:
    conversation = await whole(told, CONVERSATION)
    text = render(conversation, Format.TEXT, "Europe/London").decode()
    said = [
        "Customer: where is my parcel 📦",
        "(bot): echo where is my parcel 📦",
        "handed over to a person",
        "Anna (agent): It is on its way: see you tomorrow.",
        "[note by Anna] parcel was late",
        "the ticket was resolved",
    ]
    places = [text.find(line) for line in said]
    assert -1 not in places
    assert places == sorted(places)
    data = json.loads(render(conversation, Format.JSON, "Europe/London"))
    assert [one["author"] for one in data["transcript"]] == ["customer", "bot", "customer", "system", "agent"]
    pdf = render(conversation, Format.PDF, "Europe/London")
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 5_000
    assert not joined_letters(pdf)


async def test_arabic_letters_are_joined_in_a_pdf(told: Desk) -> None:
    conversation = await whole(told, CONVERSATION)
    first = conversation.transcript[0].model_copy(update={"text": "مرحبا، أين طلبي رقم LF-123456؟"})
    arabic = conversation.model_copy(update={"transcript": [first]})
    assert len(joined_letters(render(arabic, Format.PDF, "Europe/London"))) > 5


async def test_a_transcript_of_nobody_is_not_found(log: Log, database: Database) -> None:
    with pytest.raises(NotFound):
        await whole(Desk(log, database, SETTINGS), ConversationId("web:nobody"))


async def test_prometheus_reads_the_same_counts(told: Desk, log: Log, database: Database) -> None:
    text = (await exposition(log, database, utc_now())).decode()
    assert 'frontdesk_handoffs_total{channel="web",reason="customer_request"} 1.0' in text
    assert 'frontdesk_messages_total{author="agent"} 1.0' in text
    assert "frontdesk_inbox_messages 0.0" in text
    assert 'frontdesk_tickets{state="resolved"} 1.0' in text
    assert 'frontdesk_turn_seconds{quantile="0.5"} 0.001' in text


def test_periods_are_read_as_people_write_them() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert parse_since("7d", now) == now - timedelta(days=7)
    assert parse_since("30m", now) == now - timedelta(minutes=30)
    assert parse_since("2026-11-01", now) == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(BadInput, match="'yesterday' is no time"):
        parse_since("yesterday", now)


def test_the_definitions_page_is_up_to_date() -> None:
    page = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")
    assert page == definitions_page()
