"""What needs no browser: words, escaping, and colours that can be read."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup

from bot.conversation.events import Outcome, Priority, Reason
from bot.conversation.triage import Severity, Urgency
from handoff.console import words
from handoff.console.icons import icon
from handoff.console.layout import face
from handoff.console.markup import join, tag
from handoff.console.plain import STATIC, asset
from handoff.tables import Role, TicketState

TEXT_ON_GROUND = [
    ("ink", "ground"),
    ("ink", "surface"),
    ("ink", "hover"),
    ("ink", "bot"),
    ("ink", "note"),
    ("ink", "accent-soft"),
    ("muted", "ground"),
    ("muted", "surface"),
    ("muted", "sunken"),
    ("muted", "hover"),
    ("muted", "accent-soft"),
    ("on-accent", "accent"),
    ("accent", "surface"),
    ("accent", "ground"),
    ("accent-strong", "accent-soft"),
    ("bot-ink", "bot"),
    ("note-ink", "note"),
    ("bad", "bad-soft"),
    ("bad", "surface"),
    ("surface", "bad"),
    ("warn", "warn-soft"),
    ("good", "good-soft"),
    ("info", "info-soft"),
]


def colours(theme: str) -> dict[str, str]:
    css = (STATIC / "desk.css").read_text(encoding="utf-8")
    start = ":root {" if theme == "light" else ':root[data-theme="dark"] {'
    block = css.split(start, 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(theme: str) -> None:
    known = colours(theme)
    for text, ground in TEXT_ON_GROUND:
        light, dark = sorted((luminance(known[text]), luminance(known[ground])), reverse=True)
        contrast = (light + 0.05) / (dark + 0.05)
        assert contrast >= 4.5, f"{text} on {ground} in {theme}: {contrast:.2f}"


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    made = tag("p", "<b>", Markup("<i></i>"), title='"x"', data_id="<", hidden=True, open=False, lang=None)
    assert made == '<p title="&#34;x&#34;" data-id="&lt;" hidden>&lt;b&gt;<i></i></p>'
    assert join(["<", None, tag("br")], " & ") == "&lt; &amp; <br>"


def test_every_code_has_words() -> None:
    for kind, known in (
        (Reason, words.REASONS),
        (Reason, words.WHY),
        (Outcome, words.OUTCOMES),
        (Priority, words.PRIORITIES),
        (TicketState, words.STATES),
        (Urgency, words.URGENCIES),
        (Severity, words.SEVERITIES),
        (Role, words.ROLES),
    ):
        assert set(known) == set(kind)


def test_spans_are_said_in_two_units_at_most() -> None:
    said = {0: "0 s", 59.9: "59 s", 60: "1 min", 3599: "59 min", 3600: "1 h 00 min", 86400: "1 d 0 h", -5: "0 s"}
    assert {seconds: words.span(seconds) for seconds in said} == said


def test_days_are_those_of_the_desks_time_zone() -> None:
    zone = ZoneInfo("Europe/London")
    now = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)  # half past midnight on 2 July there
    assert words.day(now, now, zone) == "Today"
    assert words.day(now - timedelta(hours=1), now, zone) == "Yesterday"
    assert words.day(now - timedelta(days=3), now, zone) == "Monday 29 June"
    assert words.day(now - timedelta(days=365), now, zone) == "Wednesday 2 July 2025"
    assert words.clock(now, zone) == "00:30"


def test_intents_and_names_read_as_words() -> None:
    assert words.topic("faq/delivery_time") == "Delivery time"
    assert words.topic("nlu_fallback") == "Not understood"
    assert (face("Anna Maria Berg"), face("anna"), face("")) == ("AB", "AN", "")


def test_pages_load_nothing_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|//[a-z]+\.", text), path.name
    assert "?v=" in asset("desk.css")
    assert "http" not in icon("bot", "Bot")
