"""What both ways to the web chat share: who may, who it is, and taking a message."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bot.channels.identity import Identities, Identity
from bot.channels.limits import Rate
from bot.channels.mailbox import Mailbox
from bot.channels.text import MAX_CHARS
from bot.channels.web_protocol import Send
from bot.conversation.errors import Forbidden, RateLimited
from bot.conversation.ids import ConversationId, conversation_id
from bot.gateway import Gateway
from bot.settings import Settings

CHANNEL = "web"
MAX_SOCKETS = 10
"""Sockets that one customer may have open: one for each tab."""
FRAMES_PER_MINUTE = 600


class WebChat:
    """The web chat of one process."""

    def __init__(self, gateway: Gateway, mailbox: Mailbox, identities: Identities, settings: Settings) -> None:
        self.mailbox = mailbox
        self.live = mailbox.live
        self.max_bytes = settings.web.max_body_bytes
        self.frames = Rate(FRAMES_PER_MINUTE)
        self._gateway = gateway
        self._identities = identities
        self._name = settings.assistant.name
        self._origins = {origin.rstrip("/").lower() for origin in settings.web.allowed_origins}
        self._own = urlsplit(settings.web.public_url or "").netloc.lower()
        self._messages = Rate(settings.web.chat_rate_per_minute)
        self._sockets: Counter[str] = Counter()

    def admit(self, origin: str | None, host: str | None) -> None:
        """Let a page of this origin in: one that is allowed, or one of our own.

        Raises:
            Forbidden: the chat may not be used from there.
        """
        if origin is None or not self._origins:
            return
        site = urlsplit(origin.lower()).netloc
        ours = site and site in {(host or "").lower(), self._own}
        if not ours and origin.lower() not in self._origins:
            raise Forbidden("the chat may not be used from this site")

    def identify(self, token: str | None) -> Identity:
        """Return the customer whom a token names, or a new one."""
        return self._identities.recognise(token) or self._identities.issue()

    def known(self, token: str) -> Identity:
        """Return the customer whom a token names.

        Raises:
            Forbidden: it names nobody.
        """
        identity = self._identities.recognise(token)
        if identity is None:
            raise Forbidden("this customer is not known here; ask for a new token")
        return identity

    def conversation(self, identity: Identity) -> ConversationId:
        """Return the customer's conversation."""
        return conversation_id(CHANNEL, identity.customer)

    def greeting(self, identity: Identity) -> dict[str, Any]:
        """Return what a widget has to know at first; `new` means that what it has on screen is not its own."""
        return {"token": identity.token, "new": identity.new, "name": self._name, "limit": MAX_CHARS}

    @contextmanager
    def one_more_socket(self, identity: Identity) -> Iterator[None]:
        """Count a socket while it is open.

        Raises:
            RateLimited: the customer has too many.
        """
        if self._sockets[identity.customer] >= MAX_SOCKETS:
            raise RateLimited("the chat is open too often", 60.0)
        self._sockets[identity.customer] += 1
        try:
            yield
        finally:
            self._sockets[identity.customer] -= 1
            self._sockets += Counter()

    async def take(self, identity: Identity, frame: Send) -> dict[str, Any]:
        """Take a message, once for each id of the widget, and return the receipt.

        Raises:
            RateLimited, BadInput, Unavailable: it was not taken.
        """
        self._messages.take(identity.customer)
        accepted = await self._gateway.accept(CHANNEL, identity.customer, frame.id, frame.text, button=frame.button)
        return {"type": "ack", "id": frame.id, "message": accepted.message, "duplicate": accepted.duplicate}
