"""What the widget and the server say to each other: the same JSON over a socket and over plain requests.

The widget says `hello`, then `send` and `ping`; the server says `hello`, `mail`, `synced`, `ack`, `refused`,
`typing` and `pong`. docs/channels.md has an example of each.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bot.channels.mailbox import PLACE, MailView
from bot.conversation.errors import BadInput, Forbidden, FrontdeskError, RateLimited, Unavailable

Place = Annotated[str, Field(pattern=PLACE)]

ERRORS: tuple[tuple[type[FrontdeskError], int, str], ...] = (
    (BadInput, 422, "bad_input"),
    (Forbidden, 403, "forbidden"),
    (RateLimited, 429, "rate_limited"),
    (Unavailable, 503, "unavailable"),
    (FrontdeskError, 500, "internal"),
)


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Hello(_Frame):
    """The first frame of a socket: who I am, and the last place of the mailbox that I have."""

    type: Literal["hello"]
    token: str | None = None
    after: Place = ""


class Send(_Frame):
    """A message; `id` is the widget's own and stays the same when it is sent again."""

    type: Literal["send"]
    id: str
    text: str = ""
    button: str | None = None


class Ping(_Frame):
    """A question whether the other side is still there."""

    type: Literal["ping"]


class Frame(BaseModel):
    """Any frame of the widget."""

    model_config = ConfigDict(frozen=True)

    frame: Annotated[Hello | Send | Ping, Field(discriminator="type")]


class Poll(_Frame):
    """A question of a widget without a socket: what is new after this place."""

    token: str | None = None
    after: Place = ""
    wait_s: float = Field(0.0, ge=0)


class PostedSend(Send):
    """A message from a widget without a socket."""

    token: str


_views: TypeAdapter[list[MailView]] = TypeAdapter(list[MailView])


def mail_frame(items: list[MailView]) -> dict[str, Any]:
    """Return mailbox items as a frame."""
    return {"type": "mail", "items": _views.dump_python(items, mode="json")}


def refusal(error: FrontdeskError, message_id: str | None = None) -> tuple[int, dict[str, Any]]:
    """Return why something was refused, as an HTTP status and a frame."""
    status, code = next((status, code) for kind, status, code in ERRORS if isinstance(error, kind))
    told: dict[str, Any] = {"code": code, "message": str(error) if status < 500 or code == "unavailable" else ""}
    if isinstance(error, RateLimited):
        told["after_s"] = round(error.after_s, 1)
    return status, {"type": "refused", "id": message_id, "error": told}
