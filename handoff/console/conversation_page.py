"""One conversation: what was said, why it came to a person, and what the agent does about it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from markupsafe import Markup
from nicegui import ui
from starlette.responses import Response

from bot.conversation.errors import BadInput, Conflict, NotFound, Unavailable
from bot.conversation.events import Outcome
from bot.conversation.explanation import Explanation
from bot.conversation.ids import ConversationId, MessageId, TicketId
from handoff.console import composer, evidence_panel, thread_head, transcript
from handoff.console.layout import Keyed, button, frame, html
from handoff.console.markup import NOTHING, tag
from handoff.console.plain import missing_page
from handoff.console.rows import mini_row, who
from handoff.console.visit import Visit
from handoff.console.words import OUTCOMES
from handoff.lists import TicketFilters
from handoff.live import What
from handoff.roles import Right
from handoff.tables import TicketState
from handoff.views import ConversationView

logger = logging.getLogger(__name__)

MESSAGES = 150
"""Messages at first; each click on "Show earlier" adds as many."""
RAIL = 50
RAIL_PAUSE_S = 0.5


class ConversationPage:
    """One browser tab on one conversation."""

    def __init__(self, visit: Visit, view: ConversationView) -> None:
        self.visit = visit
        self.view = view
        self.limit = MESSAGES
        self.explained: dict[MessageId, Explanation | None] = {}
        """By message; None while it is asked for."""
        self._asking: set[asyncio.Task[None]] = set()
        self._chart_options: dict[str, Any] | None = None

    def build(self) -> None:
        """Make the page."""
        visit = self.visit
        acts = {
            "claim": self._claim,
            "take-over": self._take_over,
            "reply": self._reply,
            "note": self._note,
            "resolve": self._ask_outcome,
            "return": self._ask_return,
            "assign": self._ask_colleague,
        }
        for name, handler in acts.items():
            visit.on(name, handler, Right.SERVE)
        visit.on("typing", self._typing, Right.SERVE, quiet=True)
        visit.on("earlier", self._earlier)
        visit.on("explain", self._ask_why)
        name = who(self.view.customer_name, self.view.customer, self.view.channel)
        with frame(visit, "", name), ui.element("div").classes("conversation"):
            with ui.element("aside").classes("rail").props('aria-label="Queue"'):
                self._rail_mine = html(kind="h2")
                self._mine = Keyed()
                self._rail_waiting = html(kind="h2")
                self._waiting = Keyed()
            with ui.element("section").classes("thread").props('aria-label="Conversation"'):
                self._head = html(kind="header").classes("thread-head")
                with ui.element("div").classes("transcript").props("id=transcript tabindex=0 aria-label=Transcript"):
                    self._tail = html().classes("more")
                    self._said = Keyed("ol")
                    self._said.element.props("role=log aria-live=polite")
                    html(thread_head.newer())
                with ui.element("div"):
                    html(composer.box(self.view, visit.caller.id, visit.may(Right.SERVE)))
                    self._closed = html()
            with ui.element("aside").classes("evidence").props('aria-label="Evidence"'):
                html(thread_head.close_evidence()).classes("only-narrow")
                self._above = html()
                with ui.element("section") as self._mood:
                    html(Markup("Mood over time"), "h2")
                    self._chart = ui.echart({}, renderer="svg").classes("mood desk-chart")
                    self._chart.props('role=img aria-label="Mood of the customer\'s messages over time, from -1 to 1"')
                self._below = html()
            self._build_dialogs()
        self._show(self.view)
        visit.every(self._follow)
        visit.every(self._follow_rail)

    async def show(self) -> None:
        """Read the conversation again and show what changed."""
        view = await self.visit.desk.conversation(self.view.id, limit=self.limit)
        with self.visit.client:
            self._show(view)
        self.visit.script("Desk.composer", self._can_reply)

    async def show_rail(self) -> None:
        """Read the queue again."""
        desk, me = self.visit.desk, self.visit.caller
        waiting = await desk.queue(TicketFilters(states=(TicketState.WAITING,)), limit=RAIL)
        mine = await desk.queue(TicketFilters(states=(TicketState.ACTIVE,), assignee=me.id), limit=RAIL)
        with self.visit.client:
            self._rail_mine.set_content(Markup("Yours ({})").format(len(mine.items)))
            self._rail_waiting.set_content(Markup("Waiting ({})").format(len(waiting.items)))
            self._mine.show((one.id, mini_row(one, self.view.id)) for one in mine.items)
            self._waiting.show((one.id, mini_row(one, self.view.id)) for one in waiting.items)
        others = [one.id for one in mine.items if one.conversation != self.view.id]
        self.visit.script("Desk.waiting", [one.id for one in waiting.items], others)

    # -- showing

    @property
    def _can_reply(self) -> bool:
        return self.visit.may(Right.SERVE) and composer.has(self.view, self.visit.caller.id)

    @property
    def _can_assign(self) -> bool:
        return self._can_reply or (self.view.ticket is not None and self.visit.may(Right.SUPERVISE))

    @property
    def _ticket(self) -> TicketId | None:
        return self.view.ticket

    def _show(self, view: ConversationView) -> None:
        self.view = view
        zone = self.visit.zone
        may_serve = self.visit.may(Right.SERVE)
        self._head.set_content(thread_head.head(view, may_serve, self._can_reply, self._can_assign, zone))
        self._said.show(transcript.entries(view, self.visit.desk.now(), zone, self._why))
        earlier = tag("button", "Show earlier messages", type="button", class_="btn", data_act="earlier")
        self._tail.set_content(earlier if view.earlier is not None else NOTHING)
        self._closed.set_content(composer.closed(view, may_serve))
        self._above.set_content(evidence_panel.above(view, zone))
        self._below.set_content(evidence_panel.below(view, zone, self.visit.console.spoken))
        self._show_mood(view)

    def _show_mood(self, view: ConversationView) -> None:
        values = evidence_panel.moods(view)
        asked = view.tickets[0].requested_at if view.tickets else None
        before = sum(one.at <= asked for one in values) if asked else None
        options = evidence_panel.mood_chart(values, before, self.visit.zone)
        self._mood.set_visibility(len(values) > 1)
        if options != self._chart_options:
            self._chart_options = options
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()

    def _build_dialogs(self) -> None:
        with ui.dialog() as self._resolving, ui.element("div").classes("box"):
            html(Markup("Resolve the ticket"), "h2")
            html(Markup("The episode ends; if the customer writes again, the bot answers."), "p").classes("muted")
            self._outcome = ui.select({str(one): words for one, words in OUTCOMES.items()}, label="Outcome")
            self._outcome.props("outlined dense options-dense behavior=menu").style("width:100%")
            self._comment = ui.textarea(label="Comment (for colleagues)").props(
                "outlined dense autogrow maxlength=4000"
            )
            with ui.element("div").classes("box-actions"):
                button("Cancel", self._resolving.close)
                button("Resolve", self._resolve, "primary", "check")
        self._resolving.props('aria-label="Resolve the ticket"')
        with ui.dialog() as self._returning, ui.element("div").classes("box"):
            html(Markup("Give it back to the bot?"), "h2")
            text = "The bot answers the customer's next message and knows that a person was there. The episode goes on."
            html(tag("span", text), "p").classes("muted")
            with ui.element("div").classes("box-actions"):
                button("Cancel", self._returning.close)
                button("Return to bot", self._return, "primary", "return")
        self._returning.props('aria-label="Give it back to the bot"')
        with ui.dialog() as self._assigning, ui.element("div").classes("box"):
            html(Markup("Hand on to a colleague"), "h2")
            html(Markup("They have the conversation from then on; the customer is not told."), "p").classes("muted")
            self._colleague = ui.select({}, label="Colleague")
            self._colleague.props("outlined dense options-dense behavior=menu").style("width:100%")
            self._word = ui.textarea(label="Note for them").props("outlined dense autogrow maxlength=4000")
            with ui.element("div").classes("box-actions"):
                button("Cancel", self._assigning.close)
                button("Hand on", self._assign, "primary", "people")
        self._assigning.props('aria-label="Hand on to a colleague"')

    # -- what happens

    async def _follow(self) -> None:
        await self.visit.follow(self.show, frozenset({What.HAPPENED, What.RELOAD}), self.view.id)

    async def _follow_rail(self) -> None:
        await self.visit.follow(self.show_rail, frozenset({What.PROJECTED, What.RELOAD}), pause_s=RAIL_PAUSE_S)

    async def _claim(self, _: Mapping[str, Any]) -> None:
        try:
            await self.visit.desk.claim(self.view.id, self.visit.caller.agent)
        except Conflict:
            await self._lost()
        await self.show()

    async def _take_over(self, _: Mapping[str, Any]) -> None:
        try:
            await self.visit.desk.take_over(self.view.id, self.visit.caller.agent)
        except Conflict:
            await self._lost()
        await self.show()

    async def _lost(self) -> None:
        self.view = await self.visit.desk.conversation(self.view.id, limit=self.limit)
        raise Conflict(composer.why_closed(self.view, may_serve=False))

    async def _reply(self, said: Mapping[str, Any]) -> None:
        text, id_ = str(said.get("text", "")), str(said.get("id", ""))
        await self.visit.desk.reply(self.view.id, self.visit.caller.agent, text, id_, self._ticket)
        await self.show()

    async def _note(self, said: Mapping[str, Any]) -> None:
        await self.visit.desk.note(self.view.id, self.visit.caller.agent, str(said.get("text", "")))
        await self.show()

    @property
    def _why(self) -> dict[MessageId, Explanation | None] | None:
        return self.explained if self.visit.console.explain else None

    async def _ask_why(self, said: Mapping[str, Any]) -> None:
        message = MessageId(str(said.get("message", "")))
        text = next((one.text for one in self.view.transcript if one.id == message and one.triage), None)
        if text is None or message in self.explained:
            return
        self.explained[message] = None
        self._show(self.view)
        # Not awaited: the first answer takes seconds, and the agent may go on meanwhile.
        task = asyncio.create_task(self._explain(message, text))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _explain(self, message: MessageId, text: str) -> None:
        explain = self.visit.console.explain
        try:
            if explain:
                self.explained[message] = await explain(text)
        except Unavailable:
            self.visit.notify("The words can't be looked up right now. Try again in a moment.")
        except Exception:
            logger.exception("explanation failed: message=%s", message)
            self.visit.notify("The words can't be looked up.")
        if self.explained.get(message) is None:
            self.explained.pop(message, None)
        if not self.visit.client.is_deleted:
            with self.visit.client:
                self._show(self.view)

    async def _typing(self, _: Mapping[str, Any]) -> None:
        if self._can_reply:
            await self.visit.desk.typing(self.view.id)

    async def _earlier(self, _: Mapping[str, Any]) -> None:
        self.limit += MESSAGES
        await self.show()

    async def _ask_outcome(self, _: Mapping[str, Any]) -> None:
        self._outcome.set_value(None)
        self._comment.set_value("")
        self._resolving.open()

    async def _ask_return(self, _: Mapping[str, Any]) -> None:
        self._returning.open()

    async def _ask_colleague(self, _: Mapping[str, Any]) -> None:
        online = {one.id for one in await self.visit.desk.online()}
        others = [one for one in await self.visit.console.accounts.servers() if not composer.has(self.view, one.id)]
        if not others:
            raise BadInput("nobody else may serve customers here")
        others.sort(key=lambda one: one.id not in online)
        names = {str(one.id): one.name + (" (at the desk)" if one.id in online else "") for one in others}
        self._colleague.set_options(names, value=None)
        self._word.set_value("")
        self._assigning.open()

    async def _assign(self) -> None:
        async def do() -> None:
            if not self._colleague.value:
                raise BadInput("choose a colleague first")
            to = await self.visit.console.accounts.server(self._colleague.value)
            me, anybodys = self.visit.caller, self.visit.may(Right.SUPERVISE)
            await self.visit.desk.assign(self.view.id, me.agent, to, self._word.value or "", self._ticket, anybodys)
            self._assigning.close()
            await self.show()
            self.visit.notify(f"{to.name} has it now.", good=True)

        await self.visit.attempt(do, Right.SERVE)

    async def _resolve(self) -> None:
        async def do() -> None:
            if self._outcome.value not in set(Outcome):
                raise BadInput("choose an outcome first")
            outcome, comment = Outcome(self._outcome.value), self._comment.value or ""
            await self.visit.desk.resolve(self.view.id, self.visit.caller.agent, outcome, comment, self._ticket)
            self._resolving.close()
            await self.show()
            self.visit.notify(f"Resolved: {OUTCOMES[outcome]}.", good=True)

        await self.visit.attempt(do, Right.SERVE)

    async def _return(self) -> None:
        async def do() -> None:
            await self.visit.desk.return_to_bot(self.view.id, self.visit.caller.agent, self._ticket)
            self._returning.close()
            await self.show()
            self.visit.notify("The bot has it again.", good=True)

        await self.visit.attempt(do, Right.SERVE)


async def build(visit: Visit, request: Request) -> Response | None:
    """Make the page for a request.

    Raises:
        Unavailable: it can't be read right now.
    """
    conversation = ConversationId(request.path_params["conversation"])
    try:
        view = await visit.desk.conversation(conversation, limit=MESSAGES)
    except (NotFound, BadInput):
        return missing_page()
    ConversationPage(visit, view).build()
    return None
