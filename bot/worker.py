"""The worker: takes customers' messages from the inbox, in order, and gives each exactly one turn."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from bot.conversation import episodes
from bot.conversation.errors import Conflict
from bot.conversation.events import (
    Author,
    Button,
    CustomerMessageEdited,
    CustomerMessageReceived,
    Event,
    HandoffOffered,
    MessageSent,
    Priority,
    Reason,
    TurnTaken,
    utc_now,
)
from bot.conversation.ids import ConversationId, MessageId, new_id
from bot.conversation.lanes import Lanes
from bot.conversation.leases import Leases
from bot.conversation.log import AlreadyDone, Log
from bot.conversation.messages import Inbound, InboxEntry
from bot.conversation.ownership import hand_over
from bot.conversation.state import Handoff, KnownButton, Snapshot, State, Unfinished
from bot.conversation.triage import Triage
from bot.handing_over import Waiting, handoff_of
from bot.settings import Settings
from bot.silence import Silence
from bot.turns import Assists, Turn
from bot.voice import SORRY_FAILED

logger = logging.getLogger(__name__)

TURNS_AT_ONCE = 8
"""Turns that may wait for slow actions side by side; the CPU work of turns is done one after the other anyway."""

KNOWN_BUTTONS = 24
"""How many of the last buttons still work when pressed."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A message that the bot has to answer: the state with which its turn begins, and what is to be logged first."""

    snapshot: Snapshot
    entry: InboxEntry
    inbound: Inbound
    events: tuple[Event, ...]
    state: State
    now: datetime


class Worker:
    """Handles the inbox of the partitions that it holds."""

    def __init__(
        self, log: Log, assistant: Assists, settings: Settings, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._log = log
        self._assistant = assistant
        self._settings = settings
        self._clock = clock
        self._waiting = Waiting(log, settings)
        self._silence = Silence(log, self._waiting, settings.assistant.name, clock)
        self._at_once = asyncio.Semaphore(TURNS_AT_ONCE)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        leases = Leases(self._log, "worker", self._settings.worker.lease_s, self._work)
        await leases.run(stop)

    async def _work(self, partition: int) -> None:
        lanes = Lanes(self._log, _parse, self.handle, self._at_once)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lanes.run(self._log.keys[partition].inbox))
            tasks.create_task(self._silence.run(partition))

    async def handle(self, entry: InboxEntry, new: bool = False) -> None:
        """Give a message its turn, once; returns when the entry is acknowledged.

        A turn that a crash may cut off is counted before it begins. A `new` message's is not, because the write costs
        as much as that of the turn; who finds the message after a crash counts from there.

        Raises:
            FrontdeskError, RedisError: it could not be written now; call again.
        """
        tries = 1 if new else await self._count(entry)
        try:
            await self._once(entry, tries)
        except Exception:
            if new:
                await self._count(entry)
            raise

    async def _count(self, entry: InboxEntry) -> int:
        """Count a turn, and return how many were begun."""
        keys = self._log.keys_of(entry.inbound.conversation)
        return int(await self._log.redis.hincrby(keys.tries, entry.entry, 1))

    async def _once(self, entry: InboxEntry, tries: int) -> None:
        conversation = entry.inbound.conversation
        while True:
            snapshot = await self._log.load(conversation)
            try:
                await self._decide(snapshot, entry, tries)
            except Conflict:
                continue
            except AlreadyDone:
                await self._log.redis.hdel(self._log.keys_of(conversation).tries, entry.entry)
            return

    async def _decide(self, snapshot: Snapshot, entry: InboxEntry, tries: int) -> None:
        inbound, now = entry.inbound, self._clock()
        if inbound.edits is not None:
            await self._record_edit(snapshot, entry, inbound.edits)
            return
        events, state = episodes.begin(
            snapshot.state, inbound.channel, inbound.received_at, self._settings.conversation.idle_s
        )
        state = state.model_copy(
            update={
                "last_customer_at": inbound.received_at,
                "customer_name": inbound.customer_name or state.customer_name,
            }
        )
        button = state.buttons.get(inbound.button or "")
        if button:
            inbound = inbound.model_copy(update={"text": button.title})
        if not state.owned_by_bot:
            triage = await self._triage(inbound.text)
            received = _received(inbound, triage, state)
            await self._log.append(snapshot, [*events, received], state=state, ack=entry)
            return
        work = _Work(snapshot, entry, inbound, tuple(events), state, now)
        if tries > self._settings.assistant.max_tries:
            logger.error("turn_given_up conversation=%s tries=%d", snapshot.conversation, tries)
            await self._fail(work, None)
            return
        try:
            await self._take_turn(work, button.payload if button else None)
        except (Conflict, AlreadyDone, RedisConnectionError, RedisTimeoutError):
            raise
        except Exception:
            if tries < self._settings.assistant.max_tries:
                raise
            logger.exception("turn_given_up conversation=%s tries=%d", snapshot.conversation, tries)
            await self._fail(work, await self._triage(inbound.text))

    async def _take_turn(self, work: "_Work", payload: str | None) -> None:
        snapshot, inbound, state, now = work.snapshot, work.inbound, work.state, work.now
        async with asyncio.timeout(self._settings.assistant.turn_timeout_s):
            turn = await self._assistant.turn(inbound, payload, snapshot.assistant, state.returned)
        events: list[Event] = [*work.events, _received(inbound, turn.triage, state)]
        sent, state = self._say(turn, inbound, state, now)
        events += sent
        events.append(
            TurnTaken(
                at=now,
                episode=state.episode,
                in_reply_to=inbound.message,
                rasa_events=turn.rasa_events,
                model=turn.model,
                duration_ms=round(turn.duration_ms, 2),
                fallback=turn.fallback,
                answered=turn.answered,
            )
        )
        state = state.model_copy(update={"returned": False, "unfinished": self._unfinished(turn, now)})
        handoff = None
        for command in turn.commands:
            if command.get("command") == "offer_handoff":
                events.append(HandoffOffered(at=now, episode=state.episode, reason=Reason(command["reason"])))
            elif command.get("command") == "hand_over":
                handoff = handoff_of(command)
        if handoff is None and not sent:
            logger.error("turn_without_reply conversation=%s", snapshot.conversation)
            events.append(self._system(SORRY_FAILED, inbound, state, now))
            handoff = Handoff(Reason.BOT_FAILURE, Priority.P3, details=("the bot had no reply",))
        if handoff:
            moved, state = await self._hand_over(state, handoff, inbound, now)
            events += moved
        await self._log.append(snapshot, events, state=state, assistant=turn.memory, ack=work.entry)

    async def _fail(self, work: "_Work", triage: Triage | None) -> None:
        inbound, now = work.inbound, work.now
        received = _received(inbound, triage, work.state)
        sorry = self._system(SORRY_FAILED, inbound, work.state, now)
        handoff = Handoff(Reason.BOT_FAILURE, Priority.P2, details=("the bot failed on this message",))
        moved, state = await self._hand_over(work.state, handoff, inbound, now)
        await self._log.append(work.snapshot, [*work.events, received, sorry, *moved], state=state, ack=work.entry)

    async def _hand_over(
        self, state: State, handoff: Handoff, inbound: Inbound, now: datetime
    ) -> tuple[list[Event], State]:
        move = hand_over(state, handoff, now)
        notice = await self._waiting.notice(handoff.priority, now)
        said = self._system(notice, inbound, move.state, now)
        return [*move.events, said], move.state

    async def _record_edit(self, snapshot: Snapshot, entry: InboxEntry, edited_message: str) -> None:
        inbound = entry.inbound
        edited = CustomerMessageEdited(
            at=inbound.received_at,
            episode=snapshot.state.episode,
            channel_message=edited_message,
            text=inbound.text,
            triage=await self._triage(inbound.text),
        )
        await self._log.append(snapshot, [edited], ack=entry)

    async def _triage(self, text: str) -> Triage | None:
        try:
            return await self._assistant.triage(text)
        except Exception:
            logger.exception("triage_failed")
            return None

    def _say(self, turn: Turn, inbound: Inbound, state: State, now: datetime) -> tuple[list[Event], State]:
        sent: list[Event] = []
        known = dict(state.buttons)
        for reply in turn.replies:
            message = MessageId(new_id("m"))
            buttons = []
            for number, (title, payload) in enumerate(reply.buttons):
                button = Button(id=f"{message}.{number}", title=title)
                known[button.id] = KnownButton(title=title, payload=payload)
                buttons.append(button)
            sent.append(
                MessageSent(
                    at=now,
                    episode=state.episode,
                    message=message,
                    author=Author.BOT,
                    author_name=self._settings.assistant.name,
                    text=reply.text,
                    buttons=tuple(buttons),
                    in_reply_to=inbound.message,
                    action=reply.action,
                )
            )
        last = dict(list(known.items())[-KNOWN_BUTTONS:])
        return sent, state.model_copy(update={"buttons": last})

    def _unfinished(self, turn: Turn, now: datetime) -> Unfinished | None:
        if turn.unfinished is None:
            return None
        due_at = now + timedelta(seconds=self._settings.conversation.silence_s)
        return Unfinished(handoff=handoff_of(turn.unfinished), due_at=due_at)

    def _system(self, text: str, inbound: Inbound, state: State, now: datetime) -> MessageSent:
        return MessageSent(
            at=now,
            episode=state.episode,
            message=MessageId(new_id("m")),
            author=Author.SYSTEM,
            author_name=self._settings.assistant.name,
            text=text,
            in_reply_to=inbound.message,
        )


def _parse(place: str, fields: Mapping[str, str]) -> tuple[ConversationId, InboxEntry]:
    inbound = Inbound.model_validate_json(fields["m"])
    return inbound.conversation, InboxEntry(entry=place, inbound=inbound)


def _received(inbound: Inbound, triage: Triage | None, state: State) -> CustomerMessageReceived:
    return CustomerMessageReceived(
        at=inbound.received_at,
        episode=state.episode,
        message=inbound.message,
        channel_message=inbound.channel_message,
        text=inbound.text,
        button=inbound.button,
        attachments=inbound.attachments,
        sent_at=inbound.sent_at,
        customer_name=inbound.customer_name,
        triage=triage,
    )
