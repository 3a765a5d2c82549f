"""The desk's operations, the same for the console and the API.

Every change is a move of bot.conversation.ownership, written by `Log.append`; a move that meets somebody else's is
decided again on what is true then. Reads show what PostgreSQL holds and, on top, what has just happened.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sqlalchemy import select

from bot.conversation import ownership
from bot.conversation.errors import BadInput, Conflict, NotFound, Unavailable
from bot.conversation.events import Outcome, utc_now
from bot.conversation.ids import AgentId, ConversationId, TicketId
from bot.conversation.keys import TYPING
from bot.conversation.log import Log
from bot.conversation.ownership import Agent, Move
from bot.conversation.state import State
from bot.settings import Settings
from handoff.database import Database
from handoff.lists import ConversationFilters, TicketFilters, count_open, list_conversations, list_tickets
from handoff.live import Changes, Live
from handoff.moves import Written, message_id, reachable, write
from handoff.presence import PUBLISH_EVERY_S, Presence
from handoff.tables import TicketRow, TicketState
from handoff.tasks import raise_lost_cancellation
from handoff.threads import Threads, message_view
from handoff.views import ConversationSummary, ConversationView, MessageView, NoteView, Page, TicketView

logger = logging.getLogger(__name__)

MESSAGES = 500
"""Messages of one view, at most, unless asked otherwise."""
MAX_COMMENT_CHARS = 4000
NEW_TICKET_S = 1.0
"""How long a ticket that was opened this moment may be on its way into PostgreSQL."""


class Desk:
    """What agents do, and what they see.

    Args:
        log: the conversation log.
        database: the desk's PostgreSQL; its owner closes it.
        settings: of the installation.
        now: the clock.
    """

    def __init__(self, log: Log, database: Database, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self.log = log
        self.database = database
        self.settings = settings
        self.now = now
        self._live = Live(log.redis)
        self._threads = Threads(log, database)
        self._presence = Presence(log.redis, database, settings.desk.handle_minutes * 60, now)

    # -- reading

    async def queue(
        self, filters: TicketFilters | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[TicketView]:
        """Return a page of tickets, by default the open ones by priority and waiting time.

        Raises:
            BadInput: a cursor or limit that is not accepted.
        """
        async with self.database.session() as session:
            return await list_tickets(session, filters or TicketFilters(), cursor, limit)

    async def conversations(
        self, filters: ConversationFilters | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[ConversationSummary]:
        """Return a page of conversations, the one with the newest message first.

        Raises:
            BadInput: a cursor or limit that is not accepted.
        """
        async with self.database.session() as session:
            return await list_conversations(session, filters or ConversationFilters(), cursor, limit)

    async def counts(self) -> dict[TicketState, int]:
        """Return how many tickets wait and how many are being worked on."""
        async with self.database.session() as session:
            return await count_open(session)

    async def ticket(self, ticket: TicketId) -> TicketView:
        """Return a ticket as it stands this moment.

        Raises:
            NotFound: there is none.
        """
        return await self._ticket(await self.conversation_of(ticket), ticket)

    async def conversation(
        self, conversation: ConversationId, before: int | None = None, limit: int = MESSAGES
    ) -> ConversationView:
        """Return a conversation with its last messages (before a place), notes and evidence.

        Raises:
            NotFound: nothing was ever said in it.
        """
        with reachable():
            thread = await self._threads.read(conversation, before, limit)
        return thread.view(before, limit)

    async def conversation_of(self, ticket: TicketId) -> ConversationId:
        """Return the conversation that a ticket belongs to.

        Raises:
            NotFound: there is no such ticket.
        """
        deadline = asyncio.get_running_loop().time() + NEW_TICKET_S
        while True:
            async with self.database.session() as session:
                query = select(TicketRow.conversation).where(TicketRow.id == ticket)
                found = await session.scalar(query)
            if found:
                return found
            if asyncio.get_running_loop().time() >= deadline:
                raise NotFound(f"there is no ticket {ticket}")
            await asyncio.sleep(0.05)

    # -- changing

    async def claim(self, conversation: ConversationId, agent: Agent, ticket: TicketId | None = None) -> TicketView:
        """Give the waiting ticket to an agent; claiming one's own again changes nothing.

        Raises:
            Conflict: somebody else has it (the text says who), or `ticket` is not the open one.
        """

        def decide(state: State) -> Move:
            _require(state, ticket)
            return ownership.claim(state, agent, self.now())

        return await self._moved(await write(self.log, conversation, decide), agent)

    async def assign(
        self,
        conversation: ConversationId,
        by: Agent,
        to: Agent,
        note: str = "",
        ticket: TicketId | None = None,
        anybodys: bool = False,
    ) -> TicketView:
        """Give an open ticket to another agent, with a note for them.

        Args:
            conversation: whose ticket.
            by: who gives it: the agent who has it, or a supervisor.
            to: who has it from now on; the caller checks that they may serve.
            note: for colleagues, may be empty.
            ticket: if given, it must be the conversation's open one.
            anybodys: `by` may give away what waits or what another agent has.

        Raises:
            Conflict: it is not `by`'s to give, or there is no open ticket.
            BadInput: the note is too long.
        """

        def decide(state: State) -> Move:
            _require(state, ticket)
            now = self.now()
            given = ownership.assign(state, to, by, now, anybodys)
            if not given.events or not note.strip():
                return given
            return Move(given.state, given.events + ownership.note(given.state, by, note, now).events)

        return await self._moved(await write(self.log, conversation, decide), by)

    async def take_over(self, conversation: ConversationId, agent: Agent) -> TicketView:
        """Take a conversation from the bot.

        Raises:
            Conflict: it is not the bot's.
            NotFound: nothing was ever said in it.
        """

        def decide(state: State) -> Move:
            return ownership.take_over(state, agent, self.now())

        return await self._moved(await write(self.log, conversation, decide), agent)

    async def reply(
        self,
        conversation: ConversationId,
        agent: Agent,
        text: str,
        client_message: str = "",
        ticket: TicketId | None = None,
    ) -> MessageView:
        """Say something to the customer.

        Args:
            conversation: where.
            agent: who has it.
            text: what.
            client_message: the caller's own id of the message; the same id again says nothing twice and returns what
                was said first.
            ticket: if given, it must be the conversation's open one.

        Raises:
            Conflict: the agent does not have the conversation, or `ticket` is not the open one.
            BadInput: the text is empty or too long.
        """
        message = message_id(conversation, agent, client_message)
        said: list[MessageView] = []

        async def decide(state: State) -> Move:
            # Looked up after the state was loaded: what was said since makes the append a conflict.
            known = await self._threads.message(conversation, message) if client_message else None
            if known:
                said.append(known)
                return Move(state, ())
            _require(state, ticket)
            return ownership.reply(state, agent, text, self.now(), message)

        written = await write(self.log, conversation, decide)
        await self.seen(agent)
        return said[0] if said else message_view(conversation, written.seq, written.events[0])

    async def note(self, conversation: ConversationId, agent: Agent, text: str) -> NoteView:
        """Write an internal note.

        Raises:
            BadInput: the text is empty or too long.
            NotFound: nothing was ever said in the conversation.
        """

        def decide(state: State) -> Move:
            return ownership.note(state, agent, text, self.now())

        written = await write(self.log, conversation, decide)
        await self.seen(agent)
        (event,) = written.events
        return NoteView.model_validate({**event.model_dump(), "seq": written.seq})

    async def resolve(
        self,
        conversation: ConversationId,
        agent: Agent,
        outcome: Outcome,
        comment: str = "",
        ticket: TicketId | None = None,
    ) -> TicketView:
        """Close the ticket and the episode; the bot answers what comes next.

        Raises:
            Conflict: the agent does not have the conversation, or `ticket` is not the open one.
            BadInput: the comment is too long.
        """
        if len(comment) > MAX_COMMENT_CHARS:
            raise BadInput(f"the comment has {len(comment)} characters; at most {MAX_COMMENT_CHARS} are accepted")

        def decide(state: State) -> Move:
            _require(state, ticket)
            return ownership.resolve(state, agent, outcome, comment.strip(), self.now())

        return await self._moved(await write(self.log, conversation, decide), agent)

    async def return_to_bot(
        self, conversation: ConversationId, agent: Agent, ticket: TicketId | None = None
    ) -> TicketView:
        """Give the conversation back to the bot; the episode goes on.

        Raises:
            Conflict: the agent does not have the conversation, or `ticket` is not the open one.
        """

        def decide(state: State) -> Move:
            _require(state, ticket)
            return ownership.return_to_bot(state, agent, self.now())

        return await self._moved(await write(self.log, conversation, decide), agent)

    # -- being there

    def live(self, conversation: ConversationId | None = None) -> AbstractAsyncContextManager[Changes]:
        """Listen to what happens, everywhere or in one conversation; `run` must be running.

        `async with desk.live() as changes: async for change in changes: …`
        """
        return self._live.listen(conversation)

    async def typing(self, conversation: ConversationId) -> None:
        """Tell the customer that an agent is typing."""
        with reachable():
            await self.log.redis.publish(TYPING, conversation)

    async def seen(self, agent: Agent) -> None:
        """Take note that an agent is at work; cheap enough for every click."""
        await self._presence.see(agent)

    async def left(self, agent: AgentId) -> None:
        """Take note that an agent has signed out."""
        await self._presence.forget(agent)

    async def online(self) -> list[Agent]:
        """Return the agents who are at work."""
        return await self._presence.online()

    async def publish_presence(self) -> None:
        """Tell the workers how many agents are at work and how long a ticket takes them."""
        await self._presence.publish()

    async def run(self) -> None:
        """Keep live updates and presence going until cancelled; one for each process."""
        live = asyncio.create_task(self._live.run())
        try:
            while True:
                try:
                    await self.publish_presence()
                except Unavailable as error:
                    logger.warning("presence not told: %s", error)
                raise_lost_cancellation()
                await asyncio.sleep(PUBLISH_EVERY_S)
        finally:
            live.cancel()
            await asyncio.gather(live, return_exceptions=True)

    # -- inside

    async def _ticket(self, conversation: ConversationId, ticket: TicketId) -> TicketView:
        with reachable():
            thread = await self._threads.read(conversation)
        return thread.ticket(ticket)

    async def _moved(self, written: Written, agent: Agent) -> TicketView:
        await self.seen(agent)
        assert written.ticket is not None
        return await self._ticket(written.conversation, written.ticket)


def _require(state: State, ticket: TicketId | None) -> None:
    if ticket is not None and state.ticket != ticket:
        raise Conflict(f"ticket {ticket} is closed")
