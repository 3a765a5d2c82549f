"""What every channel that delivers messages looks like to the sender."""

from typing import Protocol

from bot.conversation.errors import FrontdeskError
from bot.conversation.messages import Outbound


class RetryLater(FrontdeskError):
    """The platform asks to wait, or does not answer.

    `after_s` is how long it asked for, None if it did not say. `uncertain`: no answer came, so the message may have
    reached the customer all the same.
    """

    def __init__(self, why: str, after_s: float | None = None, uncertain: bool = False) -> None:
        super().__init__(why)
        self.after_s = after_s
        self.uncertain = uncertain


class Undeliverable(FrontdeskError):
    """The platform refuses this message for good: blocked by the customer, chat gone, bad request."""


class Channel(Protocol):
    """Delivers messages to customers of one platform."""

    name: str

    def parts(self, outbound: Outbound) -> list[str]:
        """Return the texts, in order, that the message has to be sent as; one at least."""
        ...

    async def send(self, outbound: Outbound, part: str, last: bool) -> str:
        """Send one part, with the buttons if it is the last; return the platform's message id.

        Raises:
            RetryLater: try again, later.
            Undeliverable: give up.
        """
        ...
