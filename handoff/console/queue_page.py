"""The queue: who waits for a person, whom I serve, what is open, and what the bot talks about."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup
from nicegui import ui

from bot.conversation.events import Priority, Reason
from bot.conversation.ids import ConversationId, TicketId
from bot.conversation.ownership import Agent
from bot.conversation.state import BOT
from handoff.console.icons import icon
from handoff.console.layout import Keyed, empty, html, sheet
from handoff.console.markup import join, tag
from handoff.console.rows import conversation_row, mini_row, place_of, ticket_row
from handoff.console.visit import Visit
from handoff.console.words import CHANNELS, PRIORITIES, REASONS
from handoff.lists import OPEN, ConversationFilters, TicketFilters
from handoff.live import What
from handoff.roles import Right
from handoff.tables import TicketState
from handoff.views import ConversationSummary, Page, TicketView

PAGE = 50
MAX_SHOWN = 200
PAUSE_S = 0.25
"""The list is brought up to date this often at most."""


class Shown(StrEnum):
    """What the list shows."""

    WAITING = "waiting"
    MINE = "mine"
    OPEN = "open"
    BOT = "bot"


_TABS = {Shown.WAITING: "Waiting", Shown.MINE: "Mine", Shown.OPEN: "All open", Shown.BOT: "With the bot"}
_EMPTY = {
    Shown.WAITING: ("check", "Nobody is waiting", "New tickets appear here by themselves."),
    Shown.MINE: ("person", "You have no conversation", "Claim one that is waiting."),
    Shown.OPEN: ("queue", "No ticket is open", "Conversations that a person has or should have stand here."),
    Shown.BOT: ("bot", "The bot talks to nobody", "Conversations with the bot stand here, the newest first."),
}
_FIELDS: dict[str, tuple[str, Mapping[Any, str]]] = {
    "channel": ("Any channel", CHANNELS),
    "reason": ("Any reason", REASONS),
    "priority": ("Any priority", PRIORITIES),
}


class QueuePage:
    """One browser tab on the queue. The filters live in its address, so a reload keeps them."""

    def __init__(self, visit: Visit, asked: Mapping[str, str]) -> None:
        self.visit = visit
        self.tab = Shown(asked["show"]) if asked.get("show") in set(Shown) else Shown.WAITING
        self.filters = {
            name: asked[name] for name, (_, words) in _FIELDS.items() if asked.get(name) in {str(one) for one in words}
        }
        self.search = asked.get("q", "")[:80]
        self.limit = PAGE

    def build(self) -> None:
        """Make the page."""
        visit = self.visit
        visit.on("show", self._show_tab)
        visit.on("search", self._search)
        visit.on("more", self._more)
        visit.on("claim", self._claim, Right.SERVE)
        visit.on("take-over", self._take_over, Right.SERVE)
        for name in _FIELDS:
            visit.on(f"filter-{name}", self._filter(name))
        with sheet(visit, "", "Queue"):
            with ui.element("div").classes("page-head"):
                html(tag("span", "Queue"), "h1").classes("sr")
                self._tabs = html(kind="nav").classes("tabs").props('aria-label="Which conversations"')
            with ui.element("div").classes("queue"):
                with ui.element("section").classes("card").props('aria-label="Conversations"'):
                    self._filter_bar = html(self._filters_of(self.tab))
                    self._loading = html(join([tag("div", class_="skeleton")] * 4)).props('aria-label="Loading"')
                    self._rows = Keyed()
                    self._rows.element.classes("rows").props("id=rows aria-live=off")
                    self._empty = html()
                    self._tail = html().classes("more")
                with ui.element("aside").classes("card side-card").props('aria-label="Your conversations"'):
                    self._mine_head = html(tag("span", "Yours"), "h2")
                    self._mine = Keyed()
                    self._mine.element.classes("rows")
                    self._mine_empty = html()
                    self._online = html(kind="p").classes("online muted small")
        self._empty.set_visibility(False)
        self._tail.set_visibility(False)
        visit.every(self._follow)

    async def show(self) -> None:
        """Read everything again and show what changed."""
        desk, me = self.visit.desk, self.visit.caller
        waiting = await desk.queue(TicketFilters(states=(TicketState.WAITING,)), limit=MAX_SHOWN)
        mine = await desk.queue(TicketFilters(states=(TicketState.ACTIVE,), assignee=me.id), limit=MAX_SHOWN)
        counts = await desk.counts()
        listed = await self._listed()
        online = await desk.online() if self.visit.may(Right.SUPERVISE) else []
        with self.visit.client:
            self._show_tabs(counts, len(mine.items))
            self._show_rows(listed)
            self._mine_head.set_content(join([tag("span", "Yours"), tag("span", len(mine.items), class_="count")]))
            self._mine.show((one.id, mini_row(one)) for one in mine.items)
            self._online.set_content(_at_the_desk(online))
            self._online.set_visibility(bool(online))
            self._mine_empty.set_content(
                tag("p", "You have no conversation at the moment.", class_="muted", style="padding:0.9rem")
                if not mine.items
                else Markup("")
            )
        self.visit.script("Desk.waiting", [one.id for one in waiting.items], [one.id for one in mine.items])

    async def _listed(self) -> Page[TicketView] | Page[ConversationSummary]:
        channels = (self.filters["channel"],) if "channel" in self.filters else ()
        if self.tab is Shown.BOT:
            wanted = ConversationFilters(owner=BOT, channels=channels, search=self.search)
            return await self.visit.desk.conversations(wanted, limit=self.limit)
        states = OPEN if self.tab is Shown.OPEN else (TicketState.WAITING,)
        tickets = TicketFilters(
            states=(TicketState.ACTIVE,) if self.tab is Shown.MINE else states,
            assignee=self.visit.caller.id if self.tab is Shown.MINE else None,
            channels=channels,
            reasons=(Reason(self.filters["reason"]),) if "reason" in self.filters else (),
            priorities=(Priority(self.filters["priority"]),) if "priority" in self.filters else (),
            search=self.search,
        )
        return await self.visit.desk.queue(tickets, limit=self.limit)

    # -- showing

    def _show_tabs(self, counts: Mapping[TicketState, int], mine: int) -> None:
        numbers = {
            Shown.WAITING: counts[TicketState.WAITING],
            Shown.MINE: mine,
            Shown.OPEN: sum(counts.values()),
            Shown.BOT: None,
        }
        self._tabs.set_content(
            join(
                tag(
                    "a",
                    label,
                    tag("span", numbers[tab], class_="count") if numbers[tab] is not None else None,
                    href=f"?show={tab}",
                    class_="tab",
                    data_act="show",
                    data_tab=tab,
                    aria_current="true" if tab is self.tab else None,
                )
                for tab, label in _TABS.items()
            )
        )

    def _show_rows(self, listed: Page[TicketView] | Page[ConversationSummary]) -> None:
        serve = self.visit.may(Right.SERVE)
        self._loading.set_visibility(False)
        self._rows.show(
            (one.id, ticket_row(one, serve) if isinstance(one, TicketView) else conversation_row(one, serve))
            for one in listed.items
        )
        symbol, title, text = _EMPTY[self.tab]
        if self.search or self.filters:
            symbol, title, text = "search", "Nothing matches", "Change the filters or what you search for."
        self._empty.set_content(empty(symbol, title, text))
        self._empty.set_visibility(not listed.items)
        more = listed.next_cursor is not None and self.limit < MAX_SHOWN
        self._tail.set_content(tag("button", "Show more", type="button", class_="btn", data_act="more"))
        self._tail.set_visibility(more)

    def _filters_of(self, tab: Shown) -> Markup:
        search = tag(
            "div",
            icon("search"),
            tag(
                "input",
                id="search",
                class_="input",
                type="search",
                value=self.search,
                placeholder="Search a customer",
                aria_label="Search a customer",
                data_input="search",
            ),
            class_="search",
        )
        selects = [
            tag(
                "select",
                tag("option", any_, value=""),
                *[
                    tag("option", word, value=value, selected=self.filters.get(name) == str(value))
                    for value, word in words.items()
                ],
                class_="select",
                aria_label=name.capitalize(),
                data_change=f"filter-{name}",
            )
            for name, (any_, words) in _FIELDS.items()
            if tab is not Shown.BOT or name == "channel"  # what the bot has, has no ticket
        ]
        return tag("div", search, *selects, class_="filters", role="search")

    # -- what visitors do

    async def _follow(self) -> None:
        await self.visit.follow(self.show, frozenset({What.PROJECTED, What.RELOAD}), pause_s=PAUSE_S)

    async def _changed(self) -> None:
        self.limit = PAGE
        asked: dict[str, str] = {"show": self.tab if self.tab is not Shown.WAITING else ""}
        asked |= {name: self.filters.get(name, "") for name in _FIELDS} | {"q": self.search}
        self.visit.script("Desk.place", urlencode({name: value for name, value in asked.items() if value}))
        await self.show()

    async def _show_tab(self, said: Mapping[str, Any]) -> None:
        if said.get("tab") in set(Shown):
            self.tab = Shown(said["tab"])
            self._filter_bar.set_content(self._filters_of(self.tab))
            await self._changed()

    async def _search(self, said: Mapping[str, Any]) -> None:
        self.search = str(said.get("value", ""))[:80].strip()
        await self._changed()

    def _filter(self, name: str) -> Any:
        async def chosen(said: Mapping[str, Any]) -> None:
            value = str(said.get("value", ""))
            self.filters.pop(name, None)
            if value in {str(one) for one in _FIELDS[name][1]}:
                self.filters[name] = value
            await self._changed()

        return chosen

    async def _more(self, _: Mapping[str, Any]) -> None:
        self.limit = min(self.limit + PAGE, MAX_SHOWN)
        await self.show()

    async def _claim(self, said: Mapping[str, Any]) -> None:
        conversation = ConversationId(str(said.get("conversation", "")))
        ticket = TicketId(str(said.get("ticket", "")))
        await self.visit.desk.claim(conversation, self.visit.caller.agent, ticket)
        self.visit.go(place_of(conversation))

    async def _take_over(self, said: Mapping[str, Any]) -> None:
        conversation = ConversationId(str(said.get("conversation", "")))
        await self.visit.desk.take_over(conversation, self.visit.caller.agent)
        self.visit.go(place_of(conversation))


def _at_the_desk(agents: Sequence[Agent]) -> Markup:
    return join([tag("strong", "At the desk"), tag("br"), ", ".join(one.name for one in agents)])


async def build(visit: Visit, request: Request) -> None:
    """Make the page for a request."""
    QueuePage(visit, request.query_params).build()
