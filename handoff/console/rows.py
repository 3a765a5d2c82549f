"""How tickets and conversations look in a list. Pure: values in, markup out."""

from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from bot.conversation.events import Author, Priority, Reason
from bot.conversation.ids import ConversationId
from bot.conversation.state import BOT, QUEUE
from handoff.console.icons import icon
from handoff.console.layout import act
from handoff.console.markup import NOTHING, classes, tag
from handoff.console.visit import BASE
from handoff.console.words import CHANNEL_ICONS, PRIORITIES, REASONS, channel
from handoff.tables import TicketState
from handoff.views import ConversationSummary, TicketView

_TONES = {
    Reason.URGENT: "bad",
    Reason.COMPLAINT: "warn",
    Reason.NEGATIVE_SENTIMENT: "warn",
    Reason.SENSITIVE_TOPIC: "warn",
    Reason.LANGUAGE: "info",
    Reason.BOT_FAILURE: "info",
    Reason.REPEATED_FALLBACK: "info",
    Reason.CUSTOMER_REQUEST: "accent",
    Reason.AGENT_TAKEOVER: "accent",
}
VISITOR_CHARS = 5
"""How much of a random id tells visitors apart."""
_SPEAKERS = {Author.CUSTOMER: "", Author.BOT: "Bot: ", Author.AGENT: "Agent: ", Author.SYSTEM: ""}


def place_of(conversation: ConversationId) -> str:
    """Return the address of a conversation's page."""
    return f"{BASE}/c/{quote(conversation, safe=':@')}"


def who(name: str, customer: str, channel: str) -> str:
    """Return what a customer is called: by name, else by the channel's id, of which the web chat's is cut short."""
    return name or (f"Visitor {customer[:VISITOR_CHARS]}" if channel == "web" else customer)


def channel_mark(name: str) -> Markup:
    """Return the channel's icon with its name for screen readers and on hover."""
    return tag("span", icon(CHANNEL_ICONS.get(name, "chat"), channel(name)), class_="channel", title=channel(name))


def reason_chip(reason: Reason) -> Markup:
    """Return the reason of a handoff in a few words."""
    return tag("span", REASONS[reason], class_=classes("chip", _TONES[reason]))


def priority_mark(priority: Priority) -> Markup:
    """Return a priority; P1 stands out."""
    return tag("span", priority, class_=classes("prio", priority), title=f"Priority {PRIORITIES[priority]}")


def since(moment: datetime, label: str, class_: str = "wait") -> Markup:
    """Return a span of time that ticks in the browser; `label` says what it means."""
    time = tag("time", data_since=moment.isoformat(), datetime=moment.isoformat(), class_=class_)
    return tag("span", tag("span", f"{label} ", class_="sr"), time, title=label)


def ticket_row(ticket: TicketView, may_serve: bool) -> Markup:
    """Return a ticket in the queue."""
    name = who(ticket.customer_name, ticket.customer, ticket.channel)
    waiting = ticket.state == TicketState.WAITING
    claim = act("Claim", "claim", conversation=ticket.conversation, ticket=ticket.id)
    unanswered = ticket.unanswered_since is not None
    return tag(
        "article",
        priority_mark(ticket.priority),
        tag(
            "div",
            tag(
                "div",
                channel_mark(ticket.channel),
                tag("a", name, href=place_of(ticket.conversation), class_="entry-link"),
                reason_chip(ticket.reason),
                tag("span", f"{_nth(ticket.handoff)} time", class_="chip") if ticket.handoff > 1 else None,
                class_="entry-head",
            ),
            tag("p", ticket.customer_text or "…", class_="entry-text"),
        ),
        tag(
            "div",
            since(
                ticket.requested_at if waiting else ticket.unanswered_since or ticket.last_message_at, _clock(ticket)
            ),
            tag("span", _holder(ticket), class_="small muted"),
            class_="entry-side",
        ),
        tag("div", claim if waiting and may_serve else NOTHING, class_="act"),
        class_=classes("entry", unanswered and "unanswered"),
        data_key=ticket.id,
        aria_label=f"{name}, {REASONS[ticket.reason]}, priority {ticket.priority}"
        + (", not answered yet" if unanswered else ""),
    )


def conversation_row(conversation: ConversationSummary, may_serve: bool) -> Markup:
    """Return a conversation, whoever has it."""
    name = who(conversation.customer_name, conversation.customer, conversation.channel)
    with_bot = conversation.owner == BOT
    take = act("Take over", "take-over", conversation=conversation.id)
    author = conversation.last_author
    return tag(
        "article",
        tag("span", icon("bot"), class_="face bot") if with_bot else tag("span", icon("person"), class_="face"),
        tag(
            "div",
            tag(
                "div",
                channel_mark(conversation.channel),
                tag("a", name, href=place_of(conversation.id), class_="entry-link"),
                None if with_bot else tag("span", holder(conversation), class_="chip accent"),
                class_="entry-head",
            ),
            tag("p", f"{_SPEAKERS[author] if author else ''}{conversation.last_text or '…'}", class_="entry-text"),
        ),
        tag(
            "div",
            since(conversation.last_message_at, "since the last message"),
            tag("span", f"{conversation.messages} messages", class_="small muted"),
            class_="entry-side",
        ),
        tag("div", take if with_bot and may_serve else NOTHING, class_="act"),
        class_=classes("entry", conversation.unanswered_since is not None and "unanswered"),
        data_key=conversation.id,
        aria_label=name,
    )


def mini_row(ticket: TicketView, here: ConversationId | None = None) -> Markup:
    """Return a ticket in a narrow list; `here` is the conversation that is open."""
    unanswered = ticket.unanswered_since is not None
    name = who(ticket.customer_name, ticket.customer, ticket.channel)
    mine = ticket.state == TicketState.ACTIVE
    return tag(
        "article",
        priority_mark(ticket.priority),
        tag("a", name, href=place_of(ticket.conversation), class_="entry-link"),
        tag(
            "span",
            tag("span", class_="dot", title="not answered yet") if unanswered and mine else None,
            since(ticket.unanswered_since or ticket.last_message_at if mine else ticket.requested_at, _clock(ticket)),
            class_="entry-head small",
        ),
        tag("p", ticket.customer_text or "…", class_="entry-text"),
        class_=classes("mini", here == ticket.conversation and "here"),
        aria_current="true" if here == ticket.conversation else None,
    )


def holder(conversation: ConversationSummary) -> str:
    """Return who has a conversation."""
    match conversation.owner:
        case "bot":
            return "With the bot"
        case owner if owner == QUEUE:
            return "Waiting for a person"
        case _:
            return f"With {conversation.owner_name or 'an agent'}"


def _clock(ticket: TicketView) -> str:
    if ticket.state == TicketState.WAITING:
        return "waiting for a person"
    return "since the customer wrote" if ticket.unanswered_since else "since the last message"


def _holder(ticket: TicketView) -> str:
    return "waiting" if ticket.state == TicketState.WAITING else ticket.assignee_name


def _nth(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")
