"""The desk's operations over HTTP, for integrations with an API token; errors are those of bot.conversation.errors."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from bot.conversation.errors import NotSignedIn
from bot.conversation.events import Outcome, Priority, Reason
from bot.conversation.ids import AgentId, ConversationId, TicketId
from bot.conversation.ownership import Agent
from handoff.accounts import Accounts
from handoff.auth import Auth
from handoff.desk import MESSAGES, Desk
from handoff.lists import MAX_LIMIT, OPEN, ConversationFilters, TicketFilters
from handoff.moves import MAX_MESSAGE_ID_CHARS
from handoff.roles import Caller, Right
from handoff.tables import TicketState
from handoff.views import ConversationSummary, ConversationView, MessageView, NoteView, Page, TicketView

Admit = Callable[[str], None]
"""Counts a request of a caller; raises when there are too many."""
Guard = Callable[..., Awaitable[Caller]]

_bearer = HTTPBearer(auto_error=False, description="An API token, `fd_…`; made with `frontdesk token create`")


class ErrorBody(BaseModel):
    """What went wrong: `code` for programs, `message` for people."""

    code: str = Field(examples=["conflict"])
    message: str = Field(examples=["Anna has this conversation already"])


class ErrorAnswer(BaseModel):
    """The one shape of all errors."""

    error: ErrorBody


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(
        None,
        description="act as this user (sign-in name or id) instead of as the token; supervisors and admins only",
        examples=["anna"],
    )


class Acting(_Body):
    """Who acts, if not the token itself."""


class Saying(_Body):
    """A reply to the customer."""

    text: str = Field(examples=["Hello Kim, I have found your parcel. It arrives tomorrow."])
    message_id: str = Field(
        "",
        max_length=MAX_MESSAGE_ID_CHARS,
        description="your id of the message: sent twice, it is said once",
        examples=["crm-4711"],
    )


class Noting(_Body):
    """An internal note."""

    text: str = Field(examples=["Called the depot: the parcel was scanned this morning."])


class Assigning(_Body):
    """Who has the ticket from now on."""

    to: str = Field(description="sign-in name or id of a user who may serve customers", examples=["ben"])
    note: str = Field("", description="an internal note for them", examples=["Speaks French, and knows the depot."])


class Resolving(_Body):
    """How the ticket ends."""

    outcome: Outcome = Field(examples=["solved"])
    comment: str = Field("", examples=["Parcel found; goodwill voucher sent."])


def create_guard(auth: Auth, right: Right, admit: Admit | None = None) -> Guard:
    """Return a dependency that lets callers with a right pass, by their bearer token.

    Raises (the dependency):
        NotSignedIn: there is no valid token.
        Forbidden: its role lacks the right.
    """

    async def guard(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Caller:
        if credentials is None:
            raise NotSignedIn("send an API token: Authorization: Bearer fd_…")
        caller = await auth.bearer(credentials.credentials)
        if admit:
            admit(caller.id)
        caller.require(right)
        request.state.caller = caller
        return caller

    return guard


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    texts = {
        401: "no valid token",
        403: "the role has no right to this",
        404: "there is no such thing",
        409: "somebody was faster, or it is not yours; the message says who has it",
        422: "what was sent is not accepted",
        503: "Redis or PostgreSQL does not answer",
    }
    return {status: {"model": ErrorAnswer, "description": texts[status]} for status in (401, 403, *statuses, 503)}


def create_router(desk: Desk, auth: Auth, accounts: Accounts, admit: Admit | None = None) -> APIRouter:
    """Return the routes of tickets and conversations under /api/v1.

    Args:
        desk: what they do.
        auth: who may.
        accounts: the users that a supervisor's token may act as.
        admit: the rate limit of a token.
    """
    router = APIRouter(prefix="/api/v1")
    reader = Annotated[Caller, Depends(create_guard(auth, Right.READ, admit))]
    server = Annotated[Caller, Depends(create_guard(auth, Right.SERVE, admit))]

    async def acting(caller: Caller, body: _Body | None) -> Agent:
        if body is None or body.agent is None:
            return caller.agent
        caller.require(Right.SUPERVISE)
        return await accounts.server(body.agent)

    _add_ticket_routes(router, desk, reader, server, acting)
    _add_assignment(router, desk, accounts, server, acting)
    _add_conversation_routes(router, desk, reader, server, acting)
    return router


def _add_ticket_routes(router: APIRouter, desk: Desk, reader: Any, server: Any, acting: Any) -> None:
    @router.get("/tickets", tags=["tickets"], responses=_errors(422))
    async def list_tickets(
        caller: reader,
        state: Annotated[list[TicketState] | None, Query(description="by default the open ones")] = None,
        priority: Annotated[list[Priority] | None, Query()] = None,
        reason: Annotated[list[Reason] | None, Query()] = None,
        channel: Annotated[list[str] | None, Query(examples=[["telegram"]])] = None,
        skill: str | None = None,
        assignee: Annotated[AgentId | None, Query(description="an agent's id")] = None,
        search: Annotated[str, Query(max_length=200, description="part of the customer's name or id")] = "",
        newest_first: Annotated[bool, Query(description="instead of by priority and waiting time")] = False,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    ) -> Page[TicketView]:
        """List tickets: P1 first, and of one priority the one that waits longest."""
        filters = TicketFilters(
            states=tuple(state or OPEN),
            priorities=tuple(priority or ()),
            reasons=tuple(reason or ()),
            channels=tuple(channel or ()),
            skill=skill,
            assignee=assignee,
            search=search,
            newest_first=newest_first,
        )
        return await desk.queue(filters, cursor, limit)

    @router.get("/tickets/{ticket}", tags=["tickets"], responses=_errors(404))
    async def get_ticket(caller: reader, ticket: TicketId) -> TicketView:
        """Return a ticket as it stands this moment."""
        return await desk.ticket(ticket)

    @router.post("/tickets/{ticket}/claim", tags=["tickets"], responses=_errors(404, 409))
    async def claim_ticket(caller: server, ticket: TicketId, body: Acting | None = None) -> TicketView:
        """Take a waiting ticket. One of two who do so at once gets 409 with the other's name."""
        return await desk.claim(await desk.conversation_of(ticket), await acting(caller, body), ticket)

    @router.post("/tickets/{ticket}/reply", tags=["tickets"], status_code=202, responses=_errors(404, 409, 422))
    async def reply_to_customer(caller: server, ticket: TicketId, body: Saying) -> MessageView:
        """Say something to the customer; `delivery` tells what becomes of it."""
        conversation = await desk.conversation_of(ticket)
        return await desk.reply(conversation, await acting(caller, body), body.text, body.message_id, ticket)

    @router.post("/tickets/{ticket}/note", tags=["tickets"], status_code=201, responses=_errors(404, 422))
    async def add_note(caller: server, ticket: TicketId, body: Noting) -> NoteView:
        """Add an internal note; the customer never sees it."""
        return await desk.note(await desk.conversation_of(ticket), await acting(caller, body), body.text)

    @router.post("/tickets/{ticket}/resolve", tags=["tickets"], responses=_errors(404, 409, 422))
    async def resolve_ticket(caller: server, ticket: TicketId, body: Resolving) -> TicketView:
        """Close a ticket with an outcome; the bot answers what comes next."""
        conversation = await desk.conversation_of(ticket)
        return await desk.resolve(conversation, await acting(caller, body), body.outcome, body.comment, ticket)

    @router.post("/tickets/{ticket}/return", tags=["tickets"], responses=_errors(404, 409))
    async def return_to_bot(caller: server, ticket: TicketId, body: Acting | None = None) -> TicketView:
        """Give the conversation back to the bot without closing the episode."""
        return await desk.return_to_bot(await desk.conversation_of(ticket), await acting(caller, body), ticket)


def _add_assignment(router: APIRouter, desk: Desk, accounts: Accounts, server: Any, acting: Any) -> None:
    @router.post("/tickets/{ticket}/assign", tags=["tickets"], responses=_errors(404, 409, 422))
    async def assign_ticket(caller: server, ticket: TicketId, body: Assigning) -> TicketView:
        """Give a ticket to another agent: one's own, or as a supervisor any open one."""
        conversation = await desk.conversation_of(ticket)
        by, to = await acting(caller, body), await accounts.server(body.to)
        return await desk.assign(conversation, by, to, body.note, ticket, anybodys=caller.may(Right.SUPERVISE))


def _add_conversation_routes(router: APIRouter, desk: Desk, reader: Any, server: Any, acting: Any) -> None:
    @router.get("/conversations", tags=["conversations"], responses=_errors(422))
    async def list_conversations(
        caller: reader,
        owner: Annotated[str | None, Query(description="`bot`, `queue`, `agent` or `agent:<id>`")] = None,
        channel: Annotated[list[str] | None, Query()] = None,
        unanswered: Annotated[bool, Query(description="only those in which the customer had the last word")] = False,
        since: Annotated[datetime | None, Query(description="something was said at or after this time")] = None,
        search: Annotated[str, Query(max_length=200)] = "",
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    ) -> Page[ConversationSummary]:
        """List conversations, the one with the newest message first."""
        filters = ConversationFilters(
            owner=owner, channels=tuple(channel or ()), unanswered=unanswered, since=since, search=search
        )
        return await desk.conversations(filters, cursor, limit)

    @router.get("/conversations/{conversation}", tags=["conversations"], responses=_errors(404))
    async def get_conversation(
        caller: reader,
        conversation: ConversationId,
        before: Annotated[int | None, Query(ge=1, description="`earlier` of the answer before")] = None,
        limit: Annotated[int, Query(ge=1, le=MESSAGES)] = MESSAGES,
    ) -> ConversationView:
        """Return a conversation: transcript with triage and delivery, tickets, notes, evidence."""
        return await desk.conversation(conversation, before, limit)

    @router.post(
        "/conversations/{conversation}/take-over",
        tags=["conversations"],
        status_code=201,
        responses=_errors(404, 409),
    )
    async def take_over(caller: server, conversation: ConversationId, body: Acting | None = None) -> TicketView:
        """Take a conversation from the bot; returns the ticket that this opens."""
        return await desk.take_over(conversation, await acting(caller, body))
