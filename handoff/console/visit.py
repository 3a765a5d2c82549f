"""One open page: who looks at it, what they may do, and what happens there until the browser goes away."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import Client, background_tasks, ui
from nicegui.events import GenericEventArguments

from bot.conversation.errors import (
    BadInput,
    Conflict,
    Forbidden,
    FrontdeskError,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from bot.conversation.explanation import Explain
from bot.conversation.ids import ConversationId
from bot.settings import Settings
from handoff.accounts import Accounts
from handoff.auth import Auth
from handoff.console.words import sentence
from handoff.desk import Desk
from handoff.figures import Figures
from handoff.live import Change, What
from handoff.roles import Caller, Right

logger = logging.getLogger(__name__)

BASE = "/desk"
SIGN_IN = f"{BASE}/sign-in"
CALLER, TOKEN = "frontdesk.caller", "frontdesk.token"
"""Where the guard leaves, in the request's scope, who asks and with which session."""
HEARTBEAT_S = 15.0
"""How often an open page checks that its session is still good."""
SETTLE_S = 0.03
"""How long changes are gathered before they are shown."""
RETRY_S = 2.0

Gather = Callable[[], Awaitable[set[What]]]
Act = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages are made with."""

    desk: Desk
    auth: Auth
    accounts: Accounts
    figures: Figures
    settings: Settings
    explain: Explain | None = None
    spoken: Collection[str] = ()
    """Languages of the assistant, which agents need not be told of."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.settings.hours.timezone)


def words_of(error: Exception) -> str:
    """Return the notice for an error; what was not foreseen says no more than that it happened."""
    match error:
        case Unavailable():
            return "The desk can't reach its data right now. Try again in a moment."
        case Conflict() | BadInput():
            return sentence(str(error))
        case NotFound():
            return "This is not there any more."
        case Forbidden():
            return "Your role does not allow this."
        case _:
            return "Something went wrong here. It was written down for whoever runs the desk."


class Visit:
    """One browser tab on one page. Every act of the page goes through here, where session and right are checked.

    Args:
        console: what the pages are made with.
        request: of the page.
    """

    def __init__(self, console: Console, request: Request) -> None:
        self.console = console
        self.desk = console.desk
        self.zone = console.zone
        self.caller: Caller = request.scope[CALLER]
        self._token: str = request.scope[TOKEN]
        self._place = quote(BASE + request.url.path.removeprefix(BASE) + _query(request), safe="/?=&:")
        self.client: Client = ui.context.client
        self._acts: dict[str, tuple[Act, Right | None, bool]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connected = False
        self._in_order = asyncio.Lock()
        self._loops: list[Callable[[], Awaitable[None]]] = [self._heartbeat]
        self.client.on_connect(self._begin)
        self.client.on_delete(self._end)
        ui.on("desk", self._acted)

    @property
    def csrf(self) -> str:
        """The token for the plain forms of this session."""
        return self.console.auth.csrf(self._token)

    def may(self, right: Right) -> bool:
        """Say whether the visitor has a right."""
        return self.caller.may(right)

    def on(self, act: str, handler: Act, right: Right | None = None, quiet: bool = False) -> None:
        """Do `handler` when the page says `act`: an element with `data-act`, or desk.js; `quiet` fails unnoticed."""
        self._acts[act] = (handler, right, quiet)

    def every(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop from the first connection of the browser until it has gone."""
        self._loops.append(loop)

    def notify(self, text: str, good: bool = False) -> None:
        """Show a short notice."""
        with self.client:
            ui.notify(text, position="top", timeout=6000 if not good else 3000, classes="good" if good else "bad")

    def script(self, call: str, *values: object) -> None:
        """Call a function of desk.js; does nothing once the browser has gone."""
        if not self.client.is_deleted:
            self.client.run_javascript(f"{call}({', '.join(json.dumps(value) for value in values)})")

    def go(self, path: str) -> None:
        """Open another page."""
        self.script("location.assign", path)

    async def current(self) -> bool:
        """Check the session again; a visitor without one is led to the sign-in and back."""
        try:
            self.caller = await self.console.auth.session(self._token)
        except NotSignedIn:
            self.go(f"{SIGN_IN}?next={self._place}")
            return False
        if self.caller.must_change:
            self.go(f"{BASE}/account")
            return False
        return True

    async def attempt(self, do: Callable[[], Awaitable[None]], right: Right | None = None, quiet: bool = False) -> bool:
        """Do something for the visitor if the session is good; what goes wrong becomes one clear notice.

        One thing after the other, in the order in which they were asked for.
        """
        try:
            async with self._in_order:
                if not await self.current():
                    return False
                if right is not None:
                    self.caller.require(right)
                await do()
        except FrontdeskError as error:
            if not quiet:
                self.notify(words_of(error))
            return False
        except Exception as error:
            logger.exception("act failed on a page of the desk: user=%s", self.caller.id)
            self.notify(words_of(error))
            return False
        return True

    @asynccontextmanager
    async def _listening(self, conversation: ConversationId | None) -> AsyncIterator[Gather]:
        async with self.desk.live(conversation) as changes:

            async def gathered() -> set[What]:
                first = await changes.next()
                found: set[What] = set()
                if first is not None:
                    await asyncio.sleep(SETTLE_S)
                change: Change | None = first
                while change is not None:
                    found.add(change.what)
                    change = await changes.next(0)
                return found

            yield gathered

    async def follow(
        self,
        show: Callable[[], Awaitable[None]],
        interesting: frozenset[What],
        conversation: ConversationId | None = None,
        pause_s: float = 0.0,
    ) -> None:
        """Show the page's data now and after each change, at most every `pause_s`; says so while it can't be read."""
        async with self._listening(conversation) as gathered:
            while True:
                try:
                    await show()
                    self.script("Desk.trouble", False)
                    while not (await gathered()) & interesting:
                        pass
                    await asyncio.sleep(pause_s)
                except NotFound:
                    return
                except (FrontdeskError, OSError) as error:
                    logger.warning("page can't be brought up to date: %s", type(error).__name__)
                    self.script("Desk.trouble", True)
                    await asyncio.sleep(RETRY_S)

    # -- inside

    async def _acted(self, event: GenericEventArguments) -> None:
        said = event.args if isinstance(event.args, dict) else {}
        name = str(said.get("act", ""))
        if name in self._acts:
            handler, right, quiet = self._acts[name]
            done = await self.attempt(lambda: handler(said), right, quiet)
            if "id" in said:
                self.script("Desk.done", name, str(said["id"]), done)

    def _begin(self) -> None:
        if self._connected:
            return
        self._connected = True
        for loop in self._loops:
            task = background_tasks.create(self._guarded(loop), name="desk page", handle_exceptions=False)
            self._tasks.add(task)

    async def _guarded(self, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except Exception:
            logger.exception("page of the desk stopped: user=%s", self.caller.id)
            self.script("Desk.trouble", True)

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _heartbeat(self) -> None:
        troubled = False
        while True:
            try:
                if not await self.current():
                    return
                if self.may(Right.SERVE):
                    await self.desk.seen(self.caller.agent)
                if troubled:
                    troubled = False
                    self.script("Desk.trouble", False)
            except (FrontdeskError, OSError) as error:
                troubled = True
                self.script("Desk.trouble", True)
                logger.warning("session not checked: %s", type(error).__name__)
            await asyncio.sleep(HEARTBEAT_S)


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
