"""Transcripts of one conversation, as text, JSON or PDF."""

import importlib.util
import unicodedata
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from bot.conversation.errors import ConfigError
from bot.conversation.events import Author
from bot.conversation.ids import ConversationId
from handoff.desk import Desk
from handoff.views import ConversationView, MessageView, Moment, NoteView


class Format(StrEnum):
    """How a transcript is written."""

    TEXT = "text"
    JSON = "json"
    PDF = "pdf"


MEDIA = {
    Format.TEXT: "text/plain; charset=utf-8",
    Format.JSON: "application/json",
    Format.PDF: "application/pdf",
}
MOMENTS = {
    "episode_started": "a new episode began",
    "episode_closed": "the episode ended",
    "handoff_offered": "the bot offered a person",
    "handoff_requested": "handed over to a person",
    "ticket_claimed": "an agent took the conversation",
    "ticket_assigned": "given to another agent",
    "ticket_resolved": "the ticket was resolved",
    "returned_to_bot": "given back to the bot",
}


async def whole(desk: Desk, conversation: ConversationId) -> ConversationView:
    """Return a conversation with every message ever said, however long it is.

    Raises:
        NotFound: nothing was ever said in it.
    """
    newest = page = await desk.conversation(conversation)
    transcript, notes, moments = list(page.transcript), list(page.notes), list(page.moments)
    while page.earlier is not None:
        page = await desk.conversation(conversation, before=page.earlier)
        transcript[:0], notes[:0], moments[:0] = page.transcript, page.notes, page.moments
    return newest.model_copy(update={"transcript": transcript, "notes": notes, "moments": moments, "earlier": None})


def render(conversation: ConversationView, form: Format, timezone: str) -> bytes:
    """Return the whole transcript; times are local to `timezone` in text and PDF, UTC in JSON."""
    match form:
        case Format.JSON:
            return conversation.model_dump_json(indent=2).encode()
        case Format.TEXT:
            return ("\n".join(_lines(conversation, ZoneInfo(timezone))) + "\n").encode()
        case Format.PDF:
            return _pdf(conversation, ZoneInfo(timezone))


def _title(conversation: ConversationView) -> list[str]:
    who = conversation.customer_name or conversation.customer
    return [f"Conversation {conversation.id}", f"{who} on {conversation.channel}, {conversation.messages} messages"]


def _lines(conversation: ConversationView, zone: ZoneInfo) -> list[str]:
    lines = [*_title(conversation), ""]
    for entry in _entries(conversation):
        when = entry.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        lines += [f"{when}  {line}" if number == 0 else f"{'':21}{line}" for number, line in enumerate(_said(entry))]
    return lines


def _entries(conversation: ConversationView) -> list[MessageView | NoteView | Moment]:
    moments = [moment for moment in conversation.moments if moment.type in MOMENTS]
    return sorted([*conversation.transcript, *conversation.notes, *moments], key=lambda entry: entry.seq)


def _said(entry: MessageView | NoteView | Moment) -> list[str]:
    match entry:
        case NoteView():
            first, *rest = entry.text.splitlines() or [""]
            return [f"[note by {entry.agent_name}] {first}", *rest]
        case Moment():
            more = " ".join(part for part in (entry.by and f"by {entry.by}", entry.text) if part)
            return [f"--- {MOMENTS[entry.type]}{': ' + more if more else ''}"]
        case MessageView():
            first, *rest = (entry.text.splitlines() or [""]) if entry.text else [""]
            said = [f"{_speaker(entry)}: {first}", *rest]
            said += [f"[{one.kind}{': ' + one.name if one.name else ''}]" for one in entry.attachments]
            if entry.buttons:
                said.append("buttons: " + " | ".join(button.title for button in entry.buttons))
            if entry.edited_text is not None:
                said.append(f"edited to: {entry.edited_text}")
            if entry.delivery and entry.delivery.value != "delivered":
                said.append(f"({entry.delivery.value}{': ' + entry.trouble if entry.trouble else ''})")
            if entry.triage:
                said.append(_triage(entry))
            return said


def _speaker(message: MessageView) -> str:
    name = message.author_name
    return f"{name} ({message.author.value})" if name else message.author.value.capitalize()


def _triage(message: MessageView) -> str:
    triage = message.triage
    if triage is None:
        return ""
    parts = [f"intent {triage.intent} {triage.confidence:.2f}", f"complaint {triage.complaint:.2f}"]
    if triage.severity.value != "none":
        parts.append(f"severity {triage.severity.value}")
    parts.append(f"sentiment {triage.sentiment.value} {triage.sentiment_value:+.2f}")
    if triage.urgency:
        parts.append("urgent: " + ", ".join(signal.value for signal in triage.urgency))
    return f"({'; '.join(parts)})"


COLOURS = {
    Author.CUSTOMER: (20, 60, 120),
    Author.BOT: (60, 60, 60),
    Author.AGENT: (15, 100, 60),
    Author.SYSTEM: (120, 120, 120),
}


_RIGHT_TO_LEFT = frozenset({"R", "AL"})
"""Bidirectional classes of letters that run from right to left; those of Arabic are joined as well."""


class _Page(FPDF):
    def footer(self) -> None:
        """Write the number of the page."""
        self.set_y(-12)
        self.set_font("body", size=8)
        self.set_text_color(120, 120, 120)
        self.cell(0, 6, f"{self.page_no()}/{{nb}}", align="C")


def _pdf(conversation: ConversationView, zone: ZoneInfo) -> bytes:
    page = _Page(format="A4")
    page.add_font("body", fname=_fonts() / "DejaVuSans.ttf")
    page.add_font("body", style="B", fname=_fonts() / "DejaVuSans-Bold.ttf")
    page.set_auto_page_break(True, margin=16)
    page.set_title(f"Transcript {conversation.id}")
    page.add_page()
    title, who = _title(conversation)
    _write(page, title, 14, bold=True)
    _write(page, who, 9, colour=(100, 100, 100))
    page.ln(4)
    for entry in _entries(conversation):
        _entry(page, entry, entry.at.astimezone(zone))
    return bytes(page.output())


def _fonts() -> Path:
    """Return the folder of the DejaVu fonts, which matplotlib carries; it is not imported."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ConfigError("a PDF needs the fonts of matplotlib, which is not installed")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def _entry(page: FPDF, entry: MessageView | NoteView | Moment, when: datetime) -> None:
    first, *rest = _said(entry)
    if isinstance(entry, Moment):
        _write(page, f"{when:%Y-%m-%d %H:%M}  {first.removeprefix('--- ')}", 8, colour=(130, 90, 20))
        page.ln(1)
        return
    colour = COLOURS[entry.author] if isinstance(entry, MessageView) else (130, 90, 20)
    head, _, text = first.partition("] " if isinstance(entry, NoteView) else ": ")
    _write(page, f"{head.lstrip('[')}   {when:%Y-%m-%d %H:%M:%S}", 8, bold=True, colour=colour)
    _write(page, text or " ", 10)
    for line in rest:
        _write(page, line, 8, colour=(110, 110, 110))
    page.ln(2)


def _write(page: FPDF, text: str, size: float, bold: bool = False, colour: tuple[int, int, int] = (20, 20, 20)) -> None:
    page.set_font("body", style="B" if bold else "", size=size)
    page.set_text_color(*colour)
    page.set_text_shaping(bool(_RIGHT_TO_LEFT.intersection(map(unicodedata.bidirectional, text))))  # six times as slow
    page.multi_cell(0, size * 0.5, _printable(page, text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _printable(page: FPDF, text: str) -> str:
    """Return the text with the names of the characters that the font has no picture of, such as emoji."""
    font = page.current_font
    known = getattr(font, "cmap", {})
    return "".join(char if char == "\n" or ord(char) in known else _named(char) for char in text.replace("\t", "    "))


def _named(char: str) -> str:
    if unicodedata.category(char) in ("Mn", "Cf", "Cc"):
        return ""
    return f"[{unicodedata.name(char, 'unknown character').lower()}]"
