"""Where agents write: the box for replies and notes, and what stands there while somebody else answers. Pure."""

from markupsafe import Markup

from bot.conversation.ids import AgentId
from bot.conversation.ownership import MAX_REPLY_CHARS
from bot.conversation.state import BOT, QUEUE, agent_owner
from handoff.console.icons import icon
from handoff.console.layout import act, local
from handoff.console.markup import tag
from handoff.console.rows import who
from handoff.views import ConversationView


def box(conversation: ConversationView, me: AgentId, may_serve: bool) -> Markup:
    """Return the box; desk.js keeps the draft, sends it, and shows what is left of the length."""
    name = who(conversation.customer_name, conversation.customer, conversation.channel)
    modes = tag(
        "div",
        local("mode", "Reply", kind="", data_mode="reply", aria_pressed="true"),
        local("mode", "Note", kind="", data_mode="note", aria_pressed="false"),
        class_="modes",
        role="group",
        aria_label="What to write",
    )
    send = tag(
        "button", tag("span", "Send"), icon("send"), type="button", class_="btn primary", id="send", data_local="send"
    )
    foot = tag(
        "div",
        modes,
        tag("span", "Enter sends, Shift+Enter begins a new line", class_="hint only-wide"),
        tag("span", class_="hint", id="count", role="status"),
        send,
        class_="composer-foot",
    )
    text = tag("textarea", id="reply", rows=2, aria_label=f"Reply to {name}", dir="auto", spellcheck="true")
    return tag(
        "div",
        tag("div", tag("div", text, foot, class_="composer-box"), class_="composer-inner"),
        id="composer",
        class_="composer",
        hidden=True,
        data_draft=f"desk.draft:{me}:{conversation.id}",
        data_label=f"Reply to {name}",
        data_limit=MAX_REPLY_CHARS,
        data_can_reply="false",
        data_can_note="true" if may_serve else "false",
    )


def closed(conversation: ConversationView, may_serve: bool) -> Markup:
    """Return why no reply can be written, and the way to change that."""
    bar = tag(
        "div",
        tag("p", why_closed(conversation, may_serve), role="status"),
        local("mode", "Write a note", kind="btn", data_mode="note") if may_serve else None,
        _way(conversation) if may_serve else None,
        class_="closed",
    )
    return tag("div", tag("div", bar, class_="composer-inner"), class_="composer", id="closed")


def why_closed(conversation: ConversationView, may_serve: bool) -> str:
    """Return why somebody who does not have the conversation can't reply."""
    if conversation.owner == BOT:
        return "The bot has this conversation." + (" Take it over to reply." if may_serve else "")
    if conversation.owner == QUEUE:
        return "The customer waits for a person." + (" Claim the conversation to reply." if may_serve else "")
    return f"{conversation.owner_name or 'Another agent'} has this conversation now. You can read along."


def has(conversation: ConversationView, agent: AgentId) -> bool:
    """Say whether an agent has the conversation."""
    return conversation.owner == agent_owner(agent)


def _way(conversation: ConversationView) -> Markup | None:
    if conversation.owner == BOT:
        return act("Take over", "take-over", "primary", "take")
    if conversation.owner == QUEUE:
        return act("Claim", "claim", "primary", "check")
    return None
