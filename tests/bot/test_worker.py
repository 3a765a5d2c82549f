"""Exactly one turn for each message, and silence of the bot while somebody else owns the conversation."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.errors import BadInput
from bot.conversation.events import (
    Author,
    CustomerMessageEdited,
    CustomerMessageReceived,
    EpisodeClosed,
    EpisodeStarted,
    HandoffOffered,
    HandoffRequested,
    MessageSent,
    Outcome,
    Reason,
    TurnTaken,
)
from bot.conversation.ids import AgentId, ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.messages import Inbound, InboxEntry
from bot.conversation.ownership import Agent, claim, resolve, return_to_bot, take_over
from bot.conversation.state import QUEUE
from bot.handing_over import expected_wait
from bot.settings import AssistantSettings, Settings
from bot.worker import Worker
from tests.bot.scripted import ScriptedAssistant
from tests.conftest import eventually

OPEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA = Agent(AgentId("anna"), "Anna")
CONVERSATION = ConversationId("web:c1")


class Chat:
    """A customer at the web channel, and the worker."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.now = OPEN
        self.count = 0
        self.start_worker()

    def start_worker(self) -> None:
        """Start it, or start it anew with another model."""
        self.assistant = ScriptedAssistant()
        self.worker = Worker(self.log, self.assistant, Settings(), clock=lambda: self.now)

    async def post(self, text: str = "", **more: object) -> InboxEntry:
        self.count += 1
        fields = {
            "channel": "web",
            "customer": "c1",
            "channel_message": f"p{self.count}",
            "message": MessageId(f"m{self.count}"),
            "received_at": self.now,
            "text": text,
            **more,
        }
        await self.log.accept(Inbound.model_validate(fields))
        rows = await self.log.redis.xrange(self.log.keys_of(CONVERSATION).inbox)
        place, data = rows[-1]
        return InboxEntry(entry=place, inbound=Inbound.model_validate_json(data["m"]))

    async def say(self, text: str = "", **more: object) -> None:
        await self.worker.handle(await self.post(text, **more))

    async def events(self, kind: type) -> list:
        return [one.event for one in await self.log.read(CONVERSATION) if isinstance(one.event, kind)]

    async def heard(self) -> list[str]:
        mail = await self.log.mail(CONVERSATION)
        return [
            item.mail.text for item in mail if item.mail.kind == "message" and item.mail.author is not Author.CUSTOMER
        ]

    async def move(self, decide, *arguments: object) -> None:
        snapshot = await self.log.load(CONVERSATION)
        moved = decide(snapshot.state, *arguments)
        await self.log.append(snapshot, moved.events, state=moved.state)


@pytest.fixture
def chat(log: Log) -> Chat:
    return Chat(log)


async def test_a_message_is_answered_and_its_turn_recorded(chat: Chat) -> None:
    await chat.say("hello")
    assert await chat.heard() == ["echo hello"]
    (turn,) = await chat.events(TurnTaken)
    (received,) = await chat.events(CustomerMessageReceived)
    assert (turn.in_reply_to, turn.answered, received.triage.intent) == ("m1", True, "scripted")
    assert (await chat.log.load(CONVERSATION)).assistant == "1"


async def test_a_turn_done_again_has_no_effect(chat: Chat) -> None:
    entry = await chat.post("hello")
    await chat.worker.handle(entry)
    await chat.worker.handle(entry)
    assert await chat.heard() == ["echo hello"]
    assert await chat.log.redis.hlen(chat.log.keys_of(CONVERSATION).tries) == 0


async def test_a_pressed_button_means_what_the_bot_meant(chat: Chat) -> None:
    await chat.say("hello")
    (sent,) = await chat.events(MessageSent)
    await chat.say("typed by the customer", button=sent.buttons[0].id)
    await chat.say("/affirm", button="made up")
    assert [turn[:2] for turn in chat.assistant.turns[1:]] == [("Yes", "/affirm"), ("/affirm", None)]


async def test_handing_over_moves_the_owner_with_the_notice(chat: Chat) -> None:
    await chat.say("human")
    snapshot = await chat.log.load(CONVERSATION)
    (requested,) = await chat.events(HandoffRequested)
    (notice,) = await chat.events(MessageSent)
    assert snapshot.state.owner == QUEUE
    assert snapshot.version == 1
    assert (requested.reason, requested.facts) == (Reason.CUSTOMER_REQUEST, {"order_number": "LF-1"})
    assert notice.author is Author.SYSTEM
    assert "You're next in the queue." in notice.text


async def test_expected_wait_comes_from_the_desk(chat: Chat) -> None:
    await chat.log.redis.hset("fd:desk", mapping={"agents_online": 2, "handle_s": 1200})
    await chat.say("human")
    assert "You're next in the queue. It usually takes 10 to 15 minutes." in (await chat.heard())[0]


async def test_a_customer_is_told_when_nobody_is_there_to_measure_the_wait_by(chat: Chat) -> None:
    await chat.say("human")
    assert "You're next in the queue. Nobody is at the desk this minute" in (await chat.heard())[0]


@pytest.mark.parametrize(
    ("minutes", "told"), [(0, "less than 5"), (5, "5 to 10"), (29.9, "20 to 30"), (59, "45 to 60"), (60, "an hour")]
)
def test_a_wait_is_told_as_a_range(minutes: float, told: str) -> None:
    assert told in expected_wait(minutes * 60)


async def test_outside_opening_hours_the_customer_is_told_when(chat: Chat) -> None:
    chat.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    await chat.say("human")
    assert "will answer here tomorrow from 08:00" in (await chat.heard())[0]


async def test_the_bot_is_silent_while_a_person_has_the_conversation(chat: Chat) -> None:
    await chat.say("human")
    said = len(await chat.heard())
    await chat.say("/restart")
    chat.now += timedelta(days=3)
    await chat.say("are you there")
    await chat.move(claim, ANNA, chat.now)
    await chat.say("hello?")
    assert len(await chat.heard()) == said
    assert len(chat.assistant.turns) == 1
    received = await chat.events(CustomerMessageReceived)
    assert [one.triage.intent for one in received] == ["scripted"] * 4
    assert (await chat.log.load(CONVERSATION)).assistant == "1"


async def test_the_bot_stays_silent_when_processes_start_anew_with_a_new_model(chat: Chat) -> None:
    await chat.say("human")
    await chat.move(claim, ANNA, chat.now)
    said = await chat.heard()
    chat.start_worker()
    await chat.say("/restart")
    await chat.say("hello?")
    assert await chat.heard() == said
    assert chat.assistant.turns == []
    assert (await chat.log.load(CONVERSATION)).assistant == "1"


async def test_after_return_the_bot_knows_and_a_second_handoff_works(chat: Chat) -> None:
    await chat.say("human")
    await chat.move(claim, ANNA, OPEN)
    await chat.move(return_to_bot, ANNA, OPEN)
    await chat.say("thanks")
    await chat.say("more")
    assert [turn[3] for turn in chat.assistant.turns] == [False, True, False]
    await chat.say("human")
    snapshot = await chat.log.load(CONVERSATION)
    assert (snapshot.state.owner, snapshot.state.handoffs) == (QUEUE, 2)
    assert len(await chat.events(EpisodeStarted)) == 1


async def test_a_takeover_in_the_middle_of_a_turn_silences_it(chat: Chat) -> None:
    loop = asyncio.get_running_loop()
    taken: list[asyncio.Task[None]] = []

    class Slow(ScriptedAssistant):
        async def turn(self, *arguments):
            if not taken:
                taken.append(loop.create_task(chat.move(take_over, ANNA, OPEN)))
                await taken[0]
            return await super().turn(*arguments)

    chat.worker = Worker(chat.log, Slow(), Settings(), clock=lambda: OPEN)
    await chat.say("hello")
    assert await chat.heard() == []
    assert len(await chat.events(CustomerMessageReceived)) == 1
    assert await chat.events(TurnTaken) == []


@pytest.mark.parametrize("new", [False, True])
async def test_a_message_that_always_fails_goes_to_a_person(chat: Chat, new: bool) -> None:
    entry = await chat.post("fail")
    for each in (new, False):
        with pytest.raises(RuntimeError, match="scripted failure"):
            await chat.worker.handle(entry, each)
    await chat.worker.handle(entry)
    (requested,) = await chat.events(HandoffRequested)
    assert requested.reason is Reason.BOT_FAILURE
    assert (await chat.heard())[0].startswith("Sorry, something went wrong")


@pytest.mark.parametrize(("new", "counted"), [(False, "1"), (True, None)])
async def test_a_turn_is_counted_before_it_begins_unless_the_message_is_new(
    chat: Chat, new: bool, counted: str | None
) -> None:
    found: list[str | None] = []

    class Counting(ScriptedAssistant):
        async def turn(self, *arguments):
            found.append(await chat.log.redis.hget(chat.log.keys_of(CONVERSATION).tries, entry.entry))
            return await super().turn(*arguments)

    entry = await chat.post("hello")
    chat.worker = Worker(chat.log, Counting(), Settings(), clock=lambda: OPEN)
    await chat.worker.handle(entry, new)
    assert found == [counted]
    assert await chat.heard() == ["echo hello"]


async def test_a_message_that_kills_workers_goes_to_a_person_without_another_turn(chat: Chat) -> None:
    entry = await chat.post("hello")
    await chat.log.redis.hset(chat.log.keys_of(CONVERSATION).tries, entry.entry, 3)
    await chat.worker.handle(entry)
    (requested,) = await chat.events(HandoffRequested)
    assert requested.reason is Reason.BOT_FAILURE
    assert chat.assistant.turns == []


async def test_a_command_that_makes_no_sense_does_not_block_the_conversation(chat: Chat) -> None:
    entry = await chat.post("nonsense")
    for _ in range(2):
        with pytest.raises(BadInput, match="with a reason or priority that there is not"):
            await chat.worker.handle(entry)
    await chat.worker.handle(entry)
    assert (await chat.log.load(CONVERSATION)).state.owner == QUEUE


async def test_a_turn_that_hangs_is_ended_and_counted(chat: Chat) -> None:
    class Stuck(ScriptedAssistant):
        async def turn(self, *_):
            await asyncio.Event().wait()

    settings = Settings(assistant=AssistantSettings(turn_timeout_s=0.05, max_tries=1))
    chat.worker = Worker(chat.log, Stuck(), settings, clock=lambda: OPEN)
    await chat.say("hello")
    assert (await chat.log.load(CONVERSATION)).state.owner == QUEUE


async def test_idle_time_begins_when_a_person_gives_the_conversation_back(chat: Chat) -> None:
    await chat.say("human")
    await chat.move(claim, ANNA, chat.now)
    chat.now += timedelta(hours=30)
    await chat.move(return_to_bot, ANNA, chat.now)
    chat.now += timedelta(minutes=30)
    await chat.say("thanks")
    assert len(await chat.events(EpisodeStarted)) == 1


async def test_a_button_pressed_after_the_handoff_reaches_the_agent_as_words(chat: Chat) -> None:
    await chat.say("hello")
    (sent,) = await chat.events(MessageSent)
    await chat.say("human")
    await chat.say("", button=sent.buttons[0].id)
    assert (await chat.events(CustomerMessageReceived))[-1].text == "Yes"


async def test_a_customer_always_gets_an_answer(chat: Chat) -> None:
    await chat.say("silent")
    (requested,) = await chat.events(HandoffRequested)
    assert requested.reason is Reason.BOT_FAILURE
    assert len(await chat.heard()) == 2


async def test_an_offer_of_a_person_is_counted(chat: Chat) -> None:
    await chat.say("offer")
    (offered,) = await chat.events(HandoffOffered)
    assert offered.reason is Reason.REPEATED_FALLBACK


async def test_episodes_end_by_idle_time_or_close(chat: Chat) -> None:
    await chat.say("one")
    chat.now += timedelta(hours=23)
    await chat.say("two")
    chat.now += timedelta(hours=25)
    await chat.say("three")
    (closed,) = await chat.events(EpisodeClosed)
    assert closed.at == OPEN + timedelta(hours=47)
    await chat.say("human")
    await chat.move(claim, ANNA, chat.now)
    await chat.move(resolve, ANNA, Outcome.SOLVED, "", chat.now)
    await chat.say("four")
    assert len(await chat.events(EpisodeStarted)) == 3


async def test_an_edit_is_kept_and_not_answered(chat: Chat) -> None:
    await chat.say("helo")
    await chat.say("hello", edits="p1")
    (edited,) = await chat.events(CustomerMessageEdited)
    assert (edited.channel_message, edited.text) == ("p1", "hello")
    assert await chat.heard() == ["echo helo"]


async def test_the_running_worker_empties_the_inbox(log: Log) -> None:
    chat = Chat(log)
    for number in range(5):
        await chat.post(f"{number}")
    stop = asyncio.Event()
    running = asyncio.create_task(chat.worker.run(stop))

    async def empty() -> bool:
        return await log.redis.xlen(log.keys_of(CONVERSATION).inbox) == 0

    await eventually(empty)
    stop.set()
    await running
    assert await chat.heard() == [f"echo {number}" for number in range(5)]
