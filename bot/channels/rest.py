"""The REST channel: for systems that bring their own user interface."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bot.channels.limits import Rate, parse_object, read_body
from bot.channels.mailbox import PLACE, Mailbox, MailView
from bot.conversation.ids import ConversationId, MessageId, conversation_id, new_id
from bot.gateway import Gateway
from bot.settings import WebSettings

CHANNEL = "rest"
MAX_WAIT_S = 30.0

Authorise = Callable[[Request], Awaitable[str]]
"""A dependency that returns an id of the caller's token, or raises."""


class PostedMessage(BaseModel):
    """One thing that a customer says."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"customer": "ann@example.com", "text": "How long is delivery?", "message_id": "42"}]
        },
    )

    customer: str = Field(description="your id of the customer; one conversation each")
    text: str = Field("", description="what the customer says, at most 100,000 characters")
    button: str | None = Field(None, description="id of the button that was pressed, with its title as text")
    message_id: str | None = Field(None, description="your id of the message: sent twice, it is taken once")
    customer_name: str = Field("", description="what agents see")


class Receipt(BaseModel):
    """A message is taken; `replies` only if the work on it was over within `wait_s`."""

    message: MessageId = Field(examples=["m01jd3k5zq8h2v7rnd"])
    conversation: ConversationId = Field(examples=["rest:ann@example.com"])
    duplicate: bool = Field(description="it was taken before, under the same `message`")
    replies: list[MailView] | None = Field(None, description="empty if a person will answer")


class Messages(BaseModel):
    """What a conversation's mailbox holds; ask next time with this `after`."""

    items: list[MailView]
    after: str


_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": PostedMessage.model_json_schema()}}}
}


def create_router(gateway: Gateway, mailbox: Mailbox, authorise: Authorise, settings: WebSettings) -> APIRouter:
    """Return the routes under /api/v1/messages. Their errors are those of `bot.conversation.errors`."""
    router = APIRouter(prefix="/api/v1/messages", tags=["messages"])
    rate = Rate(settings.rate_per_minute)

    async def caller(token: Annotated[str, Depends(authorise)]) -> str:
        rate.take(token)
        return token

    guarded = [Depends(caller)]

    @router.post("", status_code=202, dependencies=guarded, openapi_extra=_BODY, response_model_exclude_none=True)
    async def post_message(
        request: Request,
        response: Response,
        wait_s: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="wait so long for the replies")] = 0.0,
    ) -> Receipt:
        """Take a message: 202, or 200 with the replies when they came within `wait_s`."""
        posted = parse_object(await read_body(request, settings.max_body_bytes), PostedMessage)
        place = await mailbox.end(conversation_id(CHANNEL, posted.customer)) if wait_s else ""
        accepted = await gateway.accept(
            CHANNEL,
            posted.customer,
            new_id("r") if posted.message_id is None else posted.message_id,
            posted.text,
            button=posted.button,
            customer_name=posted.customer_name,
        )
        replies = None
        if wait_s:
            replies = await mailbox.replies(accepted, "" if accepted.duplicate else place, wait_s)
        if replies is not None:
            response.status_code = 200
        return Receipt(**accepted.model_dump(), replies=replies)

    @router.get("", dependencies=guarded)
    async def read_messages(
        customer: Annotated[str, Query(min_length=1, max_length=128)],
        after: Annotated[str, Query(pattern=PLACE, description="`after` of the last answer")] = "",
        wait_s: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="wait so long for something new")] = 0.0,
    ) -> Messages:
        """Return what was said after a place, oldest first; at most 100 items, the newest 300 are kept for 30 days."""
        items, _ = await mailbox.wait(conversation_id(CHANNEL, customer), after, wait_s)
        return Messages(items=items, after=items[-1].place if items else after)

    return router
