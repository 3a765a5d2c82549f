"""Takes Telegram updates into the log, one by one, and answers what Telegram itself wants answered."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from redis.exceptions import RedisError
from telegram import Bot, ReplyParameters, Update, User
from telegram.constants import ChatAction
from telegram.error import TelegramError

from bot.channels.telegram import CHANNEL
from bot.channels.telegram_updates import START, AddressedInGroup, Pressed, Said, meaning
from bot.conversation.errors import BadInput
from bot.conversation.events import Attachment
from bot.conversation.log import Log
from bot.conversation.messages import Accepted
from bot.gateway import Gateway

logger = logging.getLogger(__name__)

GROUP_ANSWER = "I answer in private, where only you can read it: {link}"
GROUP_PAUSE_S = 3600
"""How long somebody in a group who had the link does not get it again."""
TYPING_AT_ONCE = 16
"""When more than so many calls are under way, customers don't see that the assistant types."""


def invited_key(chat: int, user: int) -> str:
    """Return the key that says that somebody in a group had the link."""
    return f"fd:telegram:invited:{chat}:{user}"


class Intake:
    """Takes updates for the bot `me`."""

    def __init__(self, gateway: Gateway, log: Log, bot: Bot, me: User, timeout_s: float) -> None:
        self._gateway = gateway
        self._log = log
        self._bot = bot
        self._me = me
        self._timeout_s = timeout_s
        self._asides: set[asyncio.Task[None]] = set()

    async def take(self, raw: dict[str, Any]) -> None:
        """Take an update as Telegram sent it. It may be confirmed when this returns.

        Raises:
            Unavailable: the log does not answer; the update must come again.
        """
        number = raw.get("update_id")
        try:
            found = meaning(Update.de_json(raw, self._bot), self._me)
        except Exception as error:
            # Never its text: it may hold what the customer wrote. Without the confirmation it would come for ever.
            logger.error("telegram_update_not_understood update=%s error=%s", number, type(error).__name__)
            return
        if isinstance(found, Said):
            try:
                await self._take(found)
            except BadInput:
                logger.error("telegram_update_not_accepted update=%s", number)
        elif isinstance(found, AddressedInGroup):
            self._aside(self._invite(found))
        elif isinstance(found, Pressed):
            self._aside(self._answer(found.callback))
        else:
            logger.debug("telegram_update_ignored update=%s", number)

    async def close(self) -> None:
        """Give up what is still under way beside the messages."""
        for task in self._asides:
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)

    async def _take(self, said: Said) -> None:
        try:
            accepted = await self._accept(said)
        except BadInput:
            # A button that is none of ours, or a text that shows nothing: agents should know that something came.
            other = (*said.attachments, Attachment(kind="other"))
            text = said.text if said.button else ""
            accepted = await self._accept(replace(said, text=text, button=None, attachments=other))
        if said.callback:
            self._aside(self._answer(said.callback))
        if not accepted.duplicate and not said.edits and len(self._asides) < TYPING_AT_ONCE:
            self._aside(self._type(accepted, int(said.customer)))

    async def _accept(self, said: Said) -> Accepted:
        return await self._gateway.accept(
            CHANNEL,
            said.customer,
            said.channel_message,
            said.text,
            button=said.button,
            attachments=said.attachments,
            sent_at=said.sent_at,
            customer_name=said.customer_name,
            edits=said.edits,
        )

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that no message waits for, and that may fail."""
        task = asyncio.create_task(self._quietly(work))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await work
        except (TelegramError, RedisError, OSError, TimeoutError) as error:
            logger.debug("telegram_aside_failed error=%s", type(error).__name__)

    async def _type(self, accepted: Accepted, chat: int) -> None:
        snapshot = await self._log.load(accepted.conversation)
        if snapshot.state.owned_by_bot:
            await self._bot.send_chat_action(chat, ChatAction.TYPING)

    async def _answer(self, callback: str) -> None:
        await self._bot.answer_callback_query(callback)

    async def _invite(self, addressed: AddressedInGroup) -> None:
        key = invited_key(addressed.chat, addressed.user)
        if not await self._log.redis.set(key, "1", nx=True, ex=GROUP_PAUSE_S):
            return
        link = f"https://t.me/{self._me.username}?start={START}"
        reply = ReplyParameters(addressed.message, allow_sending_without_reply=True)
        try:
            await self._bot.send_message(addressed.chat, GROUP_ANSWER.format(link=link), reply_parameters=reply)
        except (TelegramError, asyncio.CancelledError):
            await self._log.redis.delete(key)
            raise
