"""Silence: a customer who leaves the bot's questions about a complaint unanswered gets a person all the same."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from redis.exceptions import RedisError

from bot import voice
from bot.conversation.errors import Conflict
from bot.conversation.events import Author, MessageSent
from bot.conversation.ids import ConversationId, MessageId, new_id
from bot.conversation.lanes import stop_if_cancelled
from bot.conversation.log import Log
from bot.conversation.ownership import hand_over
from bot.handing_over import Waiting

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


class Silence:
    """Makes the handoffs of a partition that are due.

    Each is one append, which holds only if nothing was said or decided meanwhile: a customer who answers wins, and of
    two workers one.

    Args:
        name: what customers see as the bot's name.
    """

    def __init__(self, log: Log, waiting: Waiting, name: str, clock: Callable[[], datetime]) -> None:
        self._log = log
        self._waiting = waiting
        self._name = name
        self._clock = clock

    async def run(self, partition: int) -> None:
        """Look after a partition until cancelled."""
        while True:
            stop_if_cancelled()
            try:
                await self.look(partition)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("due_unavailable partition=%d error=%s", partition, type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, partition: int) -> None:
        """Make the handoffs that are due now.

        Raises:
            RedisError: it could not be written now; call again.
        """
        now = self._clock()
        for conversation in await self._log.due(partition, now.timestamp()):
            try:
                await self._hand_over(conversation, now)
            except Conflict:
                logger.debug("silence_broken conversation=%s", conversation)
            except (RedisError, OSError, TimeoutError):
                raise
            except Exception:
                logger.exception("silence_failed conversation=%s", conversation)

    async def _hand_over(self, conversation: ConversationId, now: datetime) -> None:
        snapshot = await self._log.load(conversation)
        unfinished = snapshot.state.unfinished
        if unfinished is None or unfinished.due_at > now:
            return
        move = hand_over(snapshot.state, unfinished.handoff, now)
        notice = await self._waiting.notice(unfinished.handoff.priority, now)
        said = MessageSent(
            at=now,
            episode=move.state.episode,
            message=MessageId(new_id("m")),
            author=Author.SYSTEM,
            author_name=self._name,
            text=f"{voice.LEFT_UNANSWERED} {notice}",
        )
        await self._log.append(snapshot, [*move.events, said], state=move.state, due=True)
        logger.info("handed_over_unanswered conversation=%s", conversation)
