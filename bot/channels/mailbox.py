"""The mailbox as clients see it, on every channel whose customers fetch their messages here."""

import time
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from redis.exceptions import RedisError

from bot.channels.live import Live
from bot.conversation.errors import Unavailable
from bot.conversation.events import Author, Button
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.log import Log, MailItem
from bot.conversation.messages import Accepted

PLACE = r"^(\d{1,15}-\d{1,10})?$"
BATCH = 100
REREAD_S = 20.0
"""Even without an announcement the mailbox is read again after so long."""


class MailView(BaseModel):
    """One thing in a customer's mailbox; `place` sorts, and is what to ask `after` next time."""

    model_config = ConfigDict(frozen=True)

    place: str = Field(examples=["1764000000000-0"])
    kind: Literal["message", "done"] = Field(
        "message",
        description="done: the work on `message` is over; from the author `agent`, without a `message`: a person has "
        "left the conversation, and the assistant answers again",
    )
    message: MessageId = Field(examples=["m01jd3k5zq8h2v7rnd"])
    message_id: str = Field("", description="the id that the client gave to a message of the customer")
    author: Author = Field(Author.SYSTEM, examples=["bot"])
    author_name: str = Field("", examples=["Larkfield assistant"])
    text: str = Field("", examples=["Standard delivery takes 3 to 5 working days."])
    buttons: tuple[Button, ...] = ()
    in_reply_to: MessageId | None = Field(None, examples=["m01jd3k5zq1f9c4xwa"])
    at: AwareDatetime

    @classmethod
    def of(cls, item: MailItem) -> Self:
        """Return a mailbox item as its customer's client sees it."""
        mail = item.mail
        return cls(
            place=item.place,
            kind=mail.kind,
            message=mail.message,
            message_id=mail.channel_message,
            author=mail.author,
            author_name=mail.author_name,
            text=mail.text,
            buttons=mail.buttons,
            in_reply_to=mail.in_reply_to,
            at=mail.at,
        )


class Mailbox:
    """Reads mailboxes, and waits for what is not there yet."""

    def __init__(self, log: Log, live: Live) -> None:
        self._log = log
        self.live = live

    async def after(self, conversation: ConversationId, place: str, count: int = BATCH) -> list[MailView]:
        """Return what came after a place, oldest first.

        Raises:
            Unavailable: the log does not answer.
        """
        try:
            return [MailView.of(item) for item in await self._log.mail(conversation, place, count)]
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("messages can't be read right now; try again in a moment") from error

    async def end(self, conversation: ConversationId) -> str:
        """Return the place of the newest item, empty if there is none.

        Raises:
            Unavailable: the log does not answer.
        """
        key = self._log.keys_of(conversation).mail(conversation)
        try:
            newest = await self._log.redis.xrevrange(key, count=1)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("messages can't be read right now; try again in a moment") from error
        return str(newest[0][0]) if newest else ""

    async def wait(
        self, conversation: ConversationId, place: str, wait_s: float, typing_too: bool = False
    ) -> tuple[list[MailView], bool]:
        """Return what came after a place as soon as there is something, and whether an agent is typing.

        Nothing is returned when the time is over; `typing_too` makes an agent's typing end the wait as well.
        """
        deadline = time.monotonic() + wait_s
        typing = False
        with self.live.watch(conversation) as watch:
            while True:
                items = await self.after(conversation, place)
                left_s = deadline - time.monotonic()
                if items or (typing and typing_too) or left_s <= 0 or self.live.closed:
                    return items, typing
                typing |= await watch.wait(min(left_s, REREAD_S))

    async def replies(self, accepted: Accepted, place: str, wait_s: float) -> list[MailView] | None:
        """Return the replies to a message once the work on it is over; None if that takes longer than `wait_s`.

        `place` is one before the message.
        """
        deadline = time.monotonic() + wait_s
        found: list[MailView] = []
        with self.live.watch(accepted.conversation) as watch:
            while True:
                while items := await self.after(accepted.conversation, place):
                    place = items[-1].place
                    found += [item for item in items if item.in_reply_to == accepted.message]
                    if any(item.kind == "done" and item.message == accepted.message for item in items):
                        return found
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self.live.closed:
                    return None
                await watch.wait(min(left_s, REREAD_S))
