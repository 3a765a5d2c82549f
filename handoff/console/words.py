"""How the desk says things: the words for codes, and times and spans as people read them. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.conversation.events import Outcome, Priority, Reason
from bot.conversation.triage import Severity, Urgency
from handoff.tables import Role, TicketState

REASONS = {
    Reason.CUSTOMER_REQUEST: "Asked for a person",
    Reason.COMPLAINT: "Complaint",
    Reason.NEGATIVE_SENTIMENT: "Mood is falling",
    Reason.REPEATED_FALLBACK: "Bot is stuck",
    Reason.URGENT: "Urgent",
    Reason.SENSITIVE_TOPIC: "Sensitive topic",
    Reason.LANGUAGE: "Other language",
    Reason.BOT_FAILURE: "Bot failed",
    Reason.AGENT_TAKEOVER: "Taken over",
}
WHY = {
    Reason.CUSTOMER_REQUEST: "The customer asked to talk to a person.",
    Reason.COMPLAINT: "The customer complains, and a person should answer.",
    Reason.NEGATIVE_SENTIMENT: "The customer's mood got worse from message to message.",
    Reason.REPEATED_FALLBACK: "The bot did not understand, even after it asked again.",
    Reason.URGENT: "Something in the messages should be seen by a person now.",
    Reason.SENSITIVE_TOPIC: "This topic is not one for the bot.",
    Reason.LANGUAGE: "The customer writes in a language that the bot doesn't speak.",
    Reason.BOT_FAILURE: "The bot could not answer because something broke.",
    Reason.AGENT_TAKEOVER: "An agent took the conversation from the bot.",
}
OUTCOMES = {
    Outcome.SOLVED: "Solved",
    Outcome.INFORMATION_GIVEN: "Information given",
    Outcome.REFUNDED: "Refunded",
    Outcome.REPLACED: "Replaced",
    Outcome.COMPENSATED: "Compensated",
    Outcome.PASSED_ON: "Passed on",
    Outcome.NO_ANSWER: "Customer did not answer",
    Outcome.DUPLICATE: "Duplicate",
    Outcome.SPAM: "Spam",
}
PRIORITIES = {
    Priority.P1: "P1, now",
    Priority.P2: "P2, soon",
    Priority.P3: "P3, normal",
    Priority.P4: "P4, when there is time",
}
STATES = {
    TicketState.WAITING: "Waiting",
    TicketState.ACTIVE: "With an agent",
    TicketState.RESOLVED: "Resolved",
    TicketState.RETURNED: "Returned to the bot",
}
URGENCIES = {
    Urgency.SAFETY: "Safety",
    Urgency.LEGAL: "Legal threat",
    Urgency.FRAUD: "Fraud",
    Urgency.VULNERABLE: "Vulnerable customer",
    Urgency.PRESS: "Press",
    Urgency.LEAVING: "About to leave",
}
SEVERITIES = {
    Severity.NONE: "No reproach",
    Severity.DISAPPROVAL: "Disapproval",
    Severity.ACCUSATION: "Accusation",
    Severity.BLAME: "Blame",
}
ROLES = {
    Role.AGENT: "Agent",
    Role.SUPERVISOR: "Supervisor",
    Role.DESIGNER: "Designer",
    Role.ADMIN: "Administrator",
}
CHANNELS = {"web": "Web chat", "telegram": "Telegram", "rest": "API"}
CHANNEL_ICONS = {"web": "chat", "telegram": "telegram", "rest": "api"}
_NAMES = {
    "what_happened": "What happened",
    "order_number": "Order number",
    "order": "Order",
    "remedy": "What would put it right",
    "confidence": "Sure of the topic",
    "complaint": "Complaint",
    "sentiment": "Mood",
    "severity": "Severity",
    "email": "E-mail",
}
_TROUBLES = {
    "taken_over": "an agent took over first",
    "dropped_by_operator": "an operator gave it up",
}
NOT_UNDERSTOOD = "nlu_fallback"


def plain(code: str) -> str:
    """Return a code as words: `order_number` as `Order number`."""
    return _NAMES.get(code) or code.replace("_", " ").strip().capitalize()


def topic(intent: str) -> str:
    """Return an intent as words: `faq/delivery_time` as `Delivery time`."""
    return "Not understood" if intent == NOT_UNDERSTOOD else plain(intent.rsplit("/", 1)[-1])


def channel(name: str) -> str:
    """Return a channel's name as people know it."""
    return CHANNELS.get(name) or plain(name)


def trouble(why: str | None) -> str:
    """Return why a message was not delivered."""
    return _TROUBLES.get(why or "", why or "no reason was given")


def span(seconds: float) -> str:
    """Return a span of time in at most two units; desk.js says it with the same words."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60:02} min"
    return f"{days} d {hours % 24} h"


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """Return the time of day."""
    return moment.astimezone(zone).strftime("%H:%M")


def day(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return the day, as today or yesterday where it is."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    match (today.date() - local.date()).days:
        case 0:
            return "Today"
        case 1:
            return "Yesterday"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%A} {local.day} {local:%B}{year}"


def date(moment: datetime, zone: ZoneInfo) -> str:
    """Return the date."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def moment_of(moment: datetime, zone: ZoneInfo) -> str:
    """Return day and time in full."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
