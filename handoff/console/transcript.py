"""How a conversation reads: who said what and when, what NLU says of it, what became of it. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from bot.conversation.events import Attachment, Author, Outcome, Reason
from bot.conversation.explanation import Explanation
from bot.conversation.ids import MessageId
from bot.conversation.languages import name_of
from bot.conversation.triage import Sentiment, Severity, Triage
from handoff.console.explained import words
from handoff.console.icons import icon
from handoff.console.markup import classes, join, tag
from handoff.console.rows import who
from handoff.console.words import (
    NOT_UNDERSTOOD,
    OUTCOMES,
    REASONS,
    SEVERITIES,
    URGENCIES,
    clock,
    day,
    moment_of,
    plain,
    topic,
    trouble,
)
from handoff.tables import Delivery
from handoff.views import ConversationView, MessageView, Moment, NoteView

TOGETHER_S = 180
"""Messages of one author that follow this soon stand under one name."""
LIKELY = 0.4
"""From which probability a complaint is named in the short line; that from which config.yml names its severity."""
_AUTHORS = {Author.CUSTOMER: "Customer", Author.BOT: "Bot", Author.AGENT: "Agent", Author.SYSTEM: "System"}
_MOODS = {Sentiment.NEGATIVE: "bad", Sentiment.POSITIVE: "good", Sentiment.NEUTRAL: ""}

Entry = MessageView | NoteView | Moment

Why = Mapping[MessageId, Explanation | None]
"""What carried the scores, by message; None while it is looked up."""


def entries(
    conversation: ConversationView, now: datetime, zone: ZoneInfo, why: Why | None = None
) -> Iterator[tuple[str, Markup]]:
    """Return what stands in the transcript, each with a key of its own, oldest first; `why` as `message` takes it."""
    everything: list[Entry] = [*conversation.transcript, *conversation.notes, *_shown(conversation.moments)]
    last: Entry | None = None
    for entry in sorted(everything, key=lambda one: one.seq):
        date = entry.at.astimezone(zone).date()
        if last is None or last.at.astimezone(zone).date() != date:
            heading = tag("h3", day(entry.at, now, zone), class_="day")
            yield f"d:{date.isoformat()}:{entry.seq}", heading
            last = None
        yield f"{type(entry).__name__}:{entry.seq}", _entry(entry, last, conversation, zone, why)
        last = entry


def message(one: MessageView, last: Entry | None, name: str, zone: ZoneInfo, why: Why | None = None) -> Markup:
    """Return a message.

    Args:
        one: the message.
        last: what stands before it.
        name: what the customer is called.
        zone: of the times shown.
        why: what carried the scores of messages that somebody asked about; None if nobody can ask.
    """
    again = (
        isinstance(last, MessageView)
        and (last.author, last.author_name) == (one.author, one.author_name)
        and (one.at - last.at).total_seconds() < TOGETHER_S
    )
    company = one.author is not Author.CUSTOMER
    return tag(
        "article",
        None if again else _head(one, name, zone),
        _bubble(one),
        _attachments(one.attachments),
        tag(
            "div",
            *[tag("span", button.title) for button in one.buttons],
            class_="offered",
            aria_label="Buttons offered",
        )
        if one.buttons
        else None,
        _fate(one, zone) if company else None,
        _triage(one, one.triage, why) if one.triage else None,
        class_=classes(
            "said",
            one.author,
            company and "company",
            again and "again",
            one.delivery in (Delivery.FAILED, Delivery.DROPPED) and str(one.delivery),
        ),
    )


def note(one: NoteView, zone: ZoneInfo) -> Markup:
    """Return an internal note."""
    head = tag("div", icon("note"), tag("b", one.agent_name), "internal note", _time(one.at, zone), class_="said-head")
    return tag("article", head, tag("p", one.text), class_="note", aria_label="Internal note")


def moment(one: Moment, zone: ZoneInfo) -> Markup:
    """Return something that happened between the messages."""
    tone = {"handoff_requested": "handoff", "ticket_claimed": "took", "ticket_assigned": "took"}.get(one.type)
    return tag("div", tag("span", f"{_told(one)} · {clock(one.at, zone)}"), class_=classes("moment", tone))


def _shown(moments: list[Moment]) -> Iterator[Moment]:
    for one in moments:
        # An agent's close is told by the resolved ticket, the first beginning by the first message.
        closed_by_agent = one.type == "episode_closed" and one.by not in ("idle", "customer")
        if not closed_by_agent and not (one.type == "episode_started" and one.seq == 1):
            yield one


def _entry(entry: Entry, last: Entry | None, conversation: ConversationView, zone: ZoneInfo, why: Why | None) -> Markup:
    match entry:
        case MessageView():
            name = who(conversation.customer_name, conversation.customer, conversation.channel)
            return message(entry, last, name, zone, why)
        case NoteView():
            return note(entry, zone)
        case Moment():
            return moment(entry, zone)


def _told(one: Moment) -> str:
    reason = REASONS[Reason(one.text)] if one.text in set(Reason) else one.text
    match one.type:
        case "episode_started":
            return "The customer came back"
        case "episode_closed":
            return "Ended by the customer" if one.by == "customer" else "Ended: the customer said no more"
        case "handoff_offered":
            return f"The bot offered a person: {reason}"
        case "handoff_requested":
            return f"Handed over: {reason}"
        case "ticket_claimed":
            return f"{one.by or 'An agent'} took the conversation"
        case "ticket_assigned":
            return f"{one.by or 'An agent'} gave it to {one.text}"
        case "ticket_resolved":
            outcome = OUTCOMES[Outcome(one.text)] if one.text in set(Outcome) else one.text
            return f"{one.by or 'An agent'} resolved it: {outcome}"
        case "returned_to_bot":
            return f"{one.by or 'An agent'} gave it back to the bot"
        case _:
            return plain(one.type)


def _head(one: MessageView, name: str, zone: ZoneInfo) -> Markup:
    said_by = name if one.author is Author.CUSTOMER else one.author_name or _AUTHORS[one.author]
    kind = None if one.author is Author.SYSTEM else tag("span", _AUTHORS[one.author], class_="sr")
    mark = icon("bot") if one.author is Author.BOT else None
    return tag("header", mark, tag("b", said_by), kind, _time(one.at, zone), class_="said-head")


def _time(at: datetime, zone: ZoneInfo) -> Markup:
    return tag("time", clock(at, zone), datetime=at.isoformat(), title=moment_of(at, zone))


def _bubble(one: MessageView) -> Markup | None:
    if one.edited_text is not None:
        edited = tag("span", "edited", class_="chip")
        return tag("div", tag("del", one.text) if one.text else None, one.edited_text, " ", edited, class_="bubble")
    if one.button and one.author is Author.CUSTOMER:
        return tag("div", tag("span", "chose ", class_="muted"), one.text, class_="bubble")
    return tag("div", one.text, class_="bubble") if one.text or not one.attachments else None


def _attachments(attachments: list[Attachment]) -> Markup | None:
    if not attachments:
        return None
    return tag(
        "div", *[tag("span", icon("clip"), _attachment(one), class_="chip") for one in attachments], class_="attached"
    )


def _attachment(one: Attachment) -> str:
    parts = [plain(one.kind)]
    if one.name:
        parts.append(one.name)
    if one.latitude is not None and one.longitude is not None:
        parts.append(f"{one.latitude:.5f}, {one.longitude:.5f}")
    if one.size_bytes:
        parts.append(f"{one.size_bytes / 1024:.0f} kB")
    return " · ".join(parts)


def _fate(one: MessageView, zone: ZoneInfo) -> Markup | None:
    match one.delivery:
        case Delivery.SENDING:
            symbol, text = "clock", "Sending…"
        case Delivery.DELIVERED:
            at = f" {clock(one.delivered_at, zone)}" if one.delivered_at else ""
            often = "twice" if one.repeated == 1 else f"{one.repeated + 1} times"
            symbol, text = "check", f"Delivered{at}" + (f", perhaps {often}" if one.repeated else "")
        case Delivery.FAILED:
            symbol, text = "alert", f"Not delivered: {trouble(one.trouble)}" + _perhaps(one)
        case Delivery.DROPPED:
            symbol, text = "return", f"Not sent: {trouble(one.trouble)}" + _perhaps(one)
        case _:
            return None
    return tag("p", icon(symbol), text, class_=classes("fate", one.delivery))


def _perhaps(one: MessageView) -> str:
    return "; an earlier try may have arrived" if one.repeated else ""


def _triage(one: MessageView, triage: Triage, why: Why | None) -> Markup:
    chips = []
    if triage.complaint >= LIKELY:
        words = "Complaint" if triage.severity is Severity.NONE else f"Complaint: {SEVERITIES[triage.severity].lower()}"
        chips.append(tag("span", words, class_="chip warn"))
    chips += [tag("span", URGENCIES[one], class_="chip bad") for one in triage.urgency]
    if triage.sentiment is not Sentiment.NEUTRAL:
        chips.append(tag("span", plain(triage.sentiment), class_=classes("chip", _MOODS[triage.sentiment])))
    sure = "" if triage.intent == NOT_UNDERSTOOD else f" {triage.confidence:.0%}"
    summary = tag("summary", tag("span", topic(triage.intent) + sure), *chips)
    asked = why is not None and one.id in why
    more = tag(
        "div", *_details(triage), _why(one, triage, why) if why is not None and one.text else None, class_="triage-more"
    )
    return tag("details", summary, more, class_="triage fold", open=asked)


def _why(one: MessageView, triage: Triage, why: Why) -> Markup:
    if one.id not in why:
        ask = tag("button", "Which words?", type="button", class_="btn", data_act="explain", data_message=one.id)
        return tag("div", ask, class_="words")
    found = why[one.id]
    if found is None:
        return tag("div", tag("p", "Looking at the words…", class_="muted", role="status"), class_="words")
    bad = triage.sentiment is not Sentiment.POSITIVE
    mood = [(part, -part.sentiment if bad else part.sentiment) for part in found.parts]
    complaint = [(part, part.complaint) for part in found.parts]
    return tag(
        "div",
        group("What speaks for a complaint", words(one.text, complaint)),
        group(f"What speaks for a {'bad' if bad else 'good'} mood", words(one.text, mood)),
        class_="words",
    )


def _details(triage: Triage) -> Iterator[Markup]:
    ranking = [(topic(one.name), one.confidence) for one in triage.ranking[:5]]
    yield group("Topic", bars(ranking or [(topic(triage.intent), triage.confidence)]))
    measures = [("Complaint", triage.complaint), ("Out of scope", triage.out_of_scope)]
    yield group("Scores", bars(measures))
    rows = {
        "Severity": SEVERITIES[triage.severity],
        "Mood": f"{plain(triage.sentiment)} ({triage.sentiment_value:+.2f})",
        "Urgency": ", ".join(URGENCIES[one] for one in triage.urgency),
        "About": ", ".join(plain(one) for one in triage.categories),
        "Wants": ", ".join(plain(one) for one in triage.remedies),
        "Mentions": ", ".join(f"{plain(one.kind)} {one.value}" for one in triage.entities),
        "Personal data": ", ".join(plain(kind.lower()) for kind in triage.personal_data),
        "Language": name_of(triage.language) if triage.language else "",
    }
    yield tag("dl", *pairs(rows), class_="facts side-by-side")


def group(title: str, content: Markup) -> Markup:
    """Return a small block with a heading."""
    return tag("div", tag("h3", title), content)


def pairs(rows: dict[str, str]) -> Iterator[Markup]:
    """Return those rows of a description list that say something."""
    for name, text in rows.items():
        if text:
            yield tag("div", tag("dt", name), tag("dd", text))


def bars(values: list[tuple[str, float]]) -> Markup:
    """Return named values from 0 to 1 as bars."""
    rows = [
        join(
            [
                tag("dt", name, title=name),
                tag(
                    "dd",
                    tag("span", tag("span", class_="fill", style=f"width:{_share(value):.0f}%"), class_="track"),
                    tag("span", f"{value:.0%}", class_="value"),
                ),
            ]
        )
        for name, value in values
    ]
    return tag("dl", *rows, class_="bars")


def _share(value: float) -> float:
    return 100 * min(1.0, max(0.0, value))
