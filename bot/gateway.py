"""The gateway: the one door through which customers' messages come in, whatever the channel."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from redis.exceptions import RedisError

from bot.channels.text import MAX_CHARS, normalise, one_line
from bot.conversation.errors import BadInput, Unavailable
from bot.conversation.events import Attachment, utc_now
from bot.conversation.ids import MessageId, new_id
from bot.conversation.log import Log
from bot.conversation.messages import Accepted, Inbound

MAX_NAME_CHARS = 120
MAX_REF_CHARS = 400
MAX_ATTACHMENTS = 20
_CUSTOMER = re.compile(r"[\w.@+=~|:-]{1,128}"), "1 to 128 letters, digits or . @ + = ~ | : - _"
# No colon in a message id: it ends the customer's part in the names of keys.
_MESSAGE = re.compile(r"[\w.@+=~|-]{1,128}", re.ASCII), "1 to 128 of A-Z a-z 0-9 . @ + = ~ | - _"
_BUTTON = re.compile(r"[\w.-]{1,40}", re.ASCII), "the id of a button that was sent"


class Gateway:
    """Checks and normalises what channels parsed, and takes it into the log."""

    def __init__(self, log: Log, clock: Callable[[], datetime] = utc_now) -> None:
        self._log = log
        self._clock = clock

    async def accept(
        self,
        channel: str,
        customer: str,
        channel_message: str,
        text: str = "",
        *,
        button: str | None = None,
        attachments: Sequence[Attachment] = (),
        sent_at: datetime | None = None,
        customer_name: str = "",
        edits: str | None = None,
    ) -> Accepted:
        """Take one thing that a customer sent, once for each `channel_message`; it is safe when this returns.

        Raises:
            BadInput: there is nothing in it, it is too long, or an id has characters that ids can't have.
            Unavailable: the log does not answer; send it again, with the same `channel_message`.
        """
        inbound = Inbound(
            channel=channel,
            customer=_checked(_CUSTOMER, "customer", customer),
            channel_message=_checked(_MESSAGE, "message_id", channel_message),
            text=_text(text),
            button=None if button is None else _checked(_BUTTON, "button", button),
            attachments=tuple(_attachment(one) for one in attachments[:MAX_ATTACHMENTS]),
            sent_at=sent_at,
            received_at=self._clock(),
            customer_name=one_line(customer_name, MAX_NAME_CHARS),
            edits=None if edits is None else _checked(_MESSAGE, "edits", edits),
            message=MessageId(new_id("m")),
        )
        if not (inbound.text or inbound.button or inbound.attachments or inbound.edits):
            raise BadInput("the text is empty")
        try:
            accepted = await self._log.accept(inbound)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("messages can't be taken right now; send it again in a moment") from error
        # A lost answer makes the client ask again, and then the log knows the message already: from us.
        return accepted.model_copy(update={"duplicate": accepted.message != inbound.message})


def _checked(accepted: tuple[re.Pattern[str], str], name: str, value: str) -> str:
    pattern, help_text = accepted
    if not pattern.fullmatch(value):
        raise BadInput(f"{name} is not valid; accepted: {help_text}")
    return value


def _text(text: str) -> str:
    # Beyond four times the limit nothing is worth the work of normalising it.
    clean = text if len(text) > 4 * MAX_CHARS else normalise(text)
    if len(clean) > MAX_CHARS:
        raise BadInput(f"the text has {len(clean)} characters; at most {MAX_CHARS} are accepted")
    return clean


def _attachment(attachment: Attachment) -> Attachment:
    return attachment.model_copy(
        update={
            "ref": attachment.ref[:MAX_REF_CHARS],
            "name": one_line(attachment.name, MAX_NAME_CHARS),
            "mime": one_line(attachment.mime, MAX_NAME_CHARS),
        }
    )
