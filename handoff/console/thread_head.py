"""What stands above a transcript: whose conversation it is, who has it, and what can be done. Pure."""

from zoneinfo import ZoneInfo

from markupsafe import Markup

from bot.conversation.ids import ConversationId
from bot.conversation.state import BOT, QUEUE
from handoff.console.icons import icon
from handoff.console.layout import act, local
from handoff.console.markup import classes, join, tag
from handoff.console.rows import channel_mark, holder, place_of, priority_mark, since, who
from handoff.console.visit import BASE
from handoff.console.words import channel, date
from handoff.views import ConversationView


def head(view: ConversationView, may_serve: bool, can_reply: bool, can_assign: bool, zone: ZoneInfo) -> Markup:
    """Return the head of a conversation for somebody who may serve, has this very one, may give it to others."""
    ticket = view.tickets[0] if view.ticket and view.tickets else None
    name = who(view.customer_name, view.customer, view.channel)
    tone = {BOT: "bot", QUEUE: "warn"}.get(view.owner, "accent")
    begun = f"since {date(view.started_at, zone)}"
    line = [
        tag("span", channel_mark(view.channel), " ", channel(view.channel)),
        tag("span", f"{view.messages} messages", title=begun, class_="only-wide"),
    ]
    waiting = since(ticket.requested_at, "waiting for") if ticket and view.owner == QUEUE else None
    return join(
        [
            tag("a", icon("back", "To the queue"), href=f"{BASE}/", class_="btn quiet square"),
            priority_mark(ticket.priority) if ticket else None,
            tag("div", tag("h1", name, title=view.id), tag("p", *line), class_="thread-who"),
            tag("span", holder(view), " " if waiting else None, waiting, class_=classes("chip", tone), id="holder"),
            tag("div", *_acts(view, may_serve, can_reply, can_assign), class_="acts"),
        ]
    )


def newer() -> Markup:
    """Return the way to a message that came while older ones are read."""
    pill = tag("button", icon("down"), "New message", type="button", class_="btn", data_local="newest")
    return tag("div", pill, class_="newer", id="newer", hidden=True)


def close_evidence() -> Markup:
    """Return the way from the evidence back to the conversation on a narrow screen."""
    return tag("div", local("evidence", join([icon("back"), "Back to the conversation"]), "btn quiet"), class_="more")


def _acts(view: ConversationView, may_serve: bool, can_reply: bool, can_assign: bool) -> list[Markup]:
    made = []
    if can_reply:
        made = [
            act("Return to bot", "return", "", "return", "return"),
            act("Resolve", "resolve", "primary", "check", "resolve"),
        ]
    elif may_serve and view.owner == QUEUE:
        made = [act("Claim", "claim", "primary", "check", "claim")]
    elif may_serve and view.owner == BOT:
        made = [act("Take over", "take-over", "", "take", "take-over")]
    if can_assign:
        words = "Hand on to a colleague"
        given = {"type": "button", "id": "assign", "data_act": "assign", "aria_label": words, "title": words}
        made.append(tag("button", icon("people"), class_="btn quiet square", **given))
    evidence = local("evidence", icon("panel"), "btn quiet square only-narrow", aria_label="Evidence")
    return [*made, evidence, _downloads(view.id)]


def _downloads(conversation: ConversationId) -> Markup:
    kinds = (("txt", "Transcript as text"), ("json", "Transcript as JSON"), ("pdf", "Transcript as PDF"))
    links = [tag("a", name, href=f"{place_of(conversation)}/transcript.{kind}", download=True) for kind, name in kinds]
    label = "Download the transcript"
    summary = tag("summary", icon("download"), class_="btn quiet square", aria_label=label, title=label)
    return tag("details", summary, tag("div", *links, class_="menu"), class_="who")
