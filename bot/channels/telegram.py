"""The Telegram channel, outward: delivers what the sender takes from the outbox."""

import logging
from datetime import timedelta
from types import TracebackType

import httpx
from pydantic import SecretStr
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from bot.channels.base import RetryLater, Undeliverable
from bot.channels.telegram_split import split
from bot.conversation.ids import customer_of
from bot.conversation.messages import Outbound
from bot.settings import TelegramSettings

CHANNEL = "telegram"
CONNECTIONS = 64
"""At most; the sender makes 32 calls at once."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""With these the request never left."""


class Api:
    """A Bot API client, open from `async with` on; the same for both directions."""

    def __init__(self, token: SecretStr, settings: TelegramSettings) -> None:
        # The addresses that httpx logs hold the token.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        timeout_s = settings.timeout_s
        self.request = HTTPXRequest(CONNECTIONS, timeout_s, timeout_s, timeout_s, timeout_s)
        self.bot = Bot(
            token.get_secret_value(),
            settings.base_url,
            settings.base_file_url,
            request=self.request,
            get_updates_request=self.request,
        )

    async def __aenter__(self) -> "Api":
        await self.request.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.request.shutdown()


class TelegramChannel:
    """Delivers to private chats; the customer's id is the chat's."""

    name = CHANNEL

    def __init__(self, api: Api) -> None:
        self._bot = api.bot

    def parts(self, outbound: Outbound) -> list[str]:
        """Return the text as messages that Telegram takes."""
        return split(outbound.text)

    async def send(self, outbound: Outbound, part: str, last: bool) -> str:
        """Send one part, with the buttons if it is the last; return Telegram's message id.

        Raises:
            RetryLater: Telegram asks to wait, or could not be reached.
            Undeliverable: the customer blocked the bot, the chat is gone, or Telegram refuses the message.
        """
        keyboard = [[InlineKeyboardButton(one.title, callback_data=one.id)] for one in outbound.buttons]
        try:
            sent = await self._bot.send_message(
                customer_of(outbound.conversation),
                part,
                reply_markup=InlineKeyboardMarkup(keyboard) if last and keyboard else None,
            )
        except TelegramError as error:
            raise translated(error) from error
        return str(sent.message_id)


def translated(error: TelegramError) -> RetryLater | Undeliverable:
    """Return what an error of Telegram's means to the sender; its text is Telegram's, without token and message."""
    if isinstance(error, RetryAfter):
        return RetryLater("Telegram asks to wait", after_s=asked_s(error))
    if isinstance(error, InvalidToken):
        return RetryLater("Telegram refuses the bot token")
    if isinstance(error, ChatMigrated):
        return Undeliverable("the chat became another one")
    if isinstance(error, Forbidden | BadRequest):
        return Undeliverable(f"Telegram: {error.message}")
    if isinstance(error, NetworkError):
        # Also after a 5xx: only Telegram knows how far it had come.
        uncertain = not isinstance(error.__cause__, _UNSENT)
        return RetryLater(f"Telegram does not answer ({type(error).__name__})", uncertain=uncertain)
    return RetryLater(f"Telegram failed ({type(error).__name__})", uncertain=True)


def asked_s(error: RetryAfter) -> float:
    """Return how many seconds Telegram asks to wait."""
    after = error.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else float(after)
