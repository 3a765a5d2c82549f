"""The Telegram channel, inward: long polling, or a webhook when Telegram can reach us over https."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import SecretStr
from telegram import User
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.channels.alone import Alone
from bot.channels.limits import read_body
from bot.channels.telegram import Api, asked_s
from bot.channels.telegram_intake import Intake
from bot.conversation.errors import BadInput, Forbidden, Unavailable
from bot.conversation.log import Log
from bot.gateway import Gateway
from bot.settings import Settings, TelegramSettings

logger = logging.getLogger(__name__)

PATH = "/telegram/webhook"
POLLER = "fd:telegram:poller"
"""Redis key: the web process that polls; Telegram serves one at a time."""
KINDS = ["message", "edited_message", "callback_query"]
POLL_S = 25
"""How long Telegram holds a question for updates while there are none."""
CHECK_S = 300.0
"""How often it is looked whether the webhook is still ours."""
MAX_BACKOFF_S = 60.0
MAX_UPDATE_BYTES = 1_000_000
TROUBLES: dict[type[Exception], str] = {
    InvalidToken: "Telegram refuses the token: look at the setting telegram.token; all else goes on",
    Conflict: "another program receives from Telegram with the same token: stop one of them",
}
"""What only the operator can mend."""


class TelegramReceiver:
    """Takes in what customers send; run it in every web process.

    Args:
        token: of the bot.
        settings: of the installation.
        gateway: takes what is received.
        log: of the conversations.
        tell: says to the operator, once, what only they can mend.
        backoff_s: the first pause after a failure.
    """

    def __init__(
        self,
        token: SecretStr,
        settings: Settings,
        gateway: Gateway,
        log: Log,
        tell: Callable[[str], None],
        backoff_s: float = 1.0,
    ) -> None:
        self._token = token
        self._settings = settings
        self._gateway = gateway
        self._log = log
        self._tell = tell
        self._told: set[type[Exception]] = set()
        self._backoff_s = backoff_s
        public_url = settings.web.public_url or ""
        self._public_url = public_url.rstrip("/") if public_url.startswith("https://") else ""
        self._secret = webhook_secret(token, settings.telegram)
        self._intake: Intake | None = None
        self._offset = 0

    async def run(self) -> None:
        """Receive until cancelled, whatever Telegram and Redis do."""
        async with Api(self._token, self._settings.telegram) as api:
            try:
                if self._public_url:
                    await self._patiently(lambda: self._keep_webhook(api))
                else:
                    alone = Alone(self._log.redis, POLLER, self._settings.worker.lease_s)
                    await alone.run(lambda: self._patiently(lambda: self._poll(api)))
            finally:
                if self._intake:
                    await self._intake.close()

    def create_router(self) -> APIRouter:
        """Return the route of the webhook; without an https address of ours it refuses everything."""
        router = APIRouter()

        @router.post(PATH, include_in_schema=False)
        async def take_update(
            request: Request, x_telegram_bot_api_secret_token: Annotated[str, Header()] = ""
        ) -> dict[str, bool]:
            given = x_telegram_bot_api_secret_token.encode()
            if not self._public_url or not hmac.compare_digest(given, self._secret.encode()):
                raise Forbidden("this is for Telegram only")
            raw = _update(await read_body(request, MAX_UPDATE_BYTES))
            if self._intake is None:
                raise Unavailable("not ready yet; send it again in a moment")
            await self._intake.take(raw)
            return {"ok": True}

        return router

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do one step of the work after the other; pause after failures, longer each time."""
        failures = 0
        while True:
            try:
                await work()
            except (TelegramError, Unavailable) as error:
                failures += 1
                pause_s = min(self._backoff_s * 2 ** min(failures - 1, 10), MAX_BACKOFF_S)
                if isinstance(error, RetryAfter):
                    pause_s = max(pause_s, asked_s(error))
                _report(error, pause_s)
                if type(error) in TROUBLES.keys() - self._told:
                    self._told.add(type(error))
                    self._tell(TROUBLES[type(error)])
                await asyncio.sleep(pause_s)
            else:
                failures = 0

    async def _ready(self, api: Api) -> Intake:
        if self._intake is None:
            me: User = await api.bot.get_me()
            if not self._public_url and (await api.bot.get_webhook_info()).url:
                logger.info("telegram_webhook_removed")
                await api.bot.delete_webhook()
            self._intake = Intake(self._gateway, self._log, api.bot, me, self._settings.telegram.timeout_s)
            logger.info("telegram_ready mode=%s", "webhook" if self._public_url else "polling")
        return self._intake

    async def _poll(self, api: Api) -> None:
        """Ask for updates, which confirms those before the offset, and take them in order."""
        intake = await self._ready(api)
        # Not with Bot.get_updates: there one update that can't be read makes all of them unreadable, and is logged.
        query = f"offset={self._offset}&timeout={POLL_S}&allowed_updates={json.dumps(KINDS, separators=(',', ':'))}"
        read_timeout = POLL_S + self._settings.telegram.timeout_s
        found = await api.request.post(f"{api.bot.base_url}/getUpdates?{query}", read_timeout=read_timeout)
        updates: list[dict[str, Any]] = found if isinstance(found, list) else []
        for raw in updates:
            await intake.take(raw)
            self._offset = int(raw["update_id"]) + 1

    async def _keep_webhook(self, api: Api) -> None:
        await self._ready(api)
        # A mark of the secret, so that another secret makes another address: Telegram does not tell the secret.
        mark = hmac.new(self._token.get_secret_value().encode(), self._secret.encode(), hashlib.sha256).hexdigest()[:8]
        url = f"{self._public_url}{PATH}?v={mark}"
        info = await api.bot.get_webhook_info()
        if info.url != url or set(info.allowed_updates or ()) != set(KINDS):
            # One connection, because Telegram keeps the order of updates on one only.
            await api.bot.set_webhook(url, secret_token=self._secret, allowed_updates=KINDS, max_connections=1)
            logger.info("telegram_webhook_set")
        await asyncio.sleep(CHECK_S)


def webhook_secret(token: SecretStr, settings: TelegramSettings) -> str:
    """Return the secret that Telegram shows with each update: the set one, or one made of the token.

    Made of the token, it is the same in all web processes.
    """
    if settings.webhook_secret:
        return settings.webhook_secret.get_secret_value()
    return hmac.new(token.get_secret_value().encode(), b"frontdesk webhook", hashlib.sha256).hexdigest()


def _update(body: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput("the request is not JSON") from error
    if not isinstance(raw, dict):
        raise BadInput("the request must be a JSON object")
    return raw


def _report(error: Exception, pause_s: float) -> None:
    # Only the kind of error: its text may hold the token.
    if isinstance(error, InvalidToken):
        logger.error("telegram_token_refused setting=telegram.token pause_s=%.0f", pause_s)
    elif isinstance(error, Conflict):
        logger.error("telegram_conflict why=another_program_uses_this_token pause_s=%.0f", pause_s)
    else:
        logger.warning("telegram_unavailable error=%s pause_s=%.0f", type(error).__name__, pause_s)
