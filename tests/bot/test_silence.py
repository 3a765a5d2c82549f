"""A customer who leaves the questions about a complaint unanswered is handed over, once, unless they answer first."""

import asyncio
from datetime import timedelta

import pytest

from bot.conversation.events import HandoffRequested, MessageSent, Reason
from bot.conversation.log import Log
from bot.conversation.ownership import claim, return_to_bot, take_over
from bot.conversation.state import BOT, QUEUE
from bot.handing_over import Waiting
from bot.settings import ConversationSettings, Settings
from bot.silence import Silence
from bot.worker import Worker
from tests.bot.scripted import ScriptedAssistant
from tests.bot.test_worker import ANNA, CONVERSATION, Chat
from tests.conftest import eventually

LATER = timedelta(seconds=601)


class Quiet(Chat):
    """A chat whose customer may fall silent."""

    def silence(self) -> Silence:
        """Return what a worker looks for silence with; a second one stands for a second worker, or a later one."""
        return Silence(self.log, Waiting(self.log, Settings()), "Larkfield assistant", lambda: self.now)

    async def look(self) -> None:
        for partition in range(self.log.partitions):
            await self.silence().look(partition)

    async def owner(self) -> str:
        return (await self.log.load(CONVERSATION)).state.owner

    async def due(self) -> dict[str, float]:
        return dict(await self.log.redis.zrange(self.log.keys_of(CONVERSATION).due, 0, -1, withscores=True))


@pytest.fixture
def chat(log: Log) -> Quiet:
    return Quiet(log)


async def test_a_silent_customer_is_handed_over_with_what_is_known_and_told(chat: Quiet) -> None:
    await chat.say("complaint")
    chat.now += timedelta(seconds=599)
    await chat.look()
    assert await chat.owner() == BOT
    chat.now += timedelta(seconds=2)
    await chat.look()
    (requested,) = await chat.events(HandoffRequested)
    assert (requested.reason, requested.facts) == (Reason.COMPLAINT, {"what_happened": "complaint"})
    assert await chat.owner() == QUEUE
    told = (await chat.heard())[-1]
    assert told.startswith("You don't have to answer my questions")
    assert "You're next in the queue." in told
    assert await chat.log.redis.zcard(chat.log.keys_of(CONVERSATION).queue) == 1
    assert await chat.due() == {}


async def test_it_happens_once_however_many_workers_look_and_whenever(chat: Quiet) -> None:
    await chat.say("complaint")
    chat.now += LATER
    await asyncio.gather(*(chat.look() for _ in range(5)))
    await chat.look()
    assert len(await chat.events(HandoffRequested)) == 1
    assert len(await chat.events(MessageSent)) == 2


async def test_a_customer_who_answers_in_time_starts_the_clock_again(chat: Quiet) -> None:
    await chat.say("complaint")
    (first,) = (await chat.due()).values()
    chat.now += timedelta(seconds=500)
    await chat.say("complaint")
    assert (await chat.due())[CONVERSATION] == first + 500
    chat.now += timedelta(seconds=500)
    await chat.look()
    assert await chat.owner() == BOT


async def test_an_answer_that_waits_for_its_turn_wins(chat: Quiet) -> None:
    await chat.say("complaint")
    chat.now += LATER
    answer = await chat.post("the lid is cracked")
    await chat.look()
    assert await chat.owner() == BOT
    await chat.worker.handle(answer)
    assert (await chat.heard())[-1] == "echo the lid is cracked"
    assert await chat.events(HandoffRequested) == []


async def test_an_answer_that_comes_between_reading_and_writing_wins(chat: Quiet) -> None:
    await chat.say("complaint")
    chat.now += LATER
    notice, answers = chat.silence()._waiting.notice, []

    class Interrupted(Waiting):
        async def notice(self, *arguments):
            answers.append(await chat.post("the lid is cracked"))
            return await notice(*arguments)

    silence = Silence(chat.log, Interrupted(chat.log, Settings()), "Larkfield assistant", lambda: chat.now)
    for partition in range(chat.log.partitions):
        await silence.look(partition)
    assert len(answers) == 1
    assert await chat.owner() == BOT
    assert await chat.events(HandoffRequested) == []


async def test_a_corrected_message_is_no_answer(chat: Quiet) -> None:
    await chat.say("complaint")
    await chat.say("complaint!", edits="p1")
    chat.now += LATER
    await chat.look()
    assert await chat.owner() == QUEUE


async def test_whoever_ends_the_questions_ends_the_waiting(chat: Quiet) -> None:
    await chat.say("complaint")
    await chat.say("human")
    assert await chat.due() == {}
    await chat.move(claim, ANNA, chat.now)
    await chat.move(return_to_bot, ANNA, chat.now)
    await chat.say("complaint")
    await chat.move(take_over, ANNA, chat.now)
    assert await chat.due() == {}
    chat.now += LATER
    await chat.look()
    assert await chat.owner() == "agent:anna"


async def test_a_worker_that_starts_later_makes_what_became_due_meanwhile(chat: Quiet) -> None:
    await chat.say("complaint")
    chat.now += LATER
    stop = asyncio.Event()
    settings = Settings(conversation=ConversationSettings(silence_s=600))
    worker = Worker(chat.log, ScriptedAssistant(), settings, clock=lambda: chat.now)
    running = asyncio.create_task(worker.run(stop))

    async def handed_over() -> bool:
        return await chat.owner() == QUEUE

    await eventually(handed_over)
    stop.set()
    await running
    assert len(await chat.events(HandoffRequested)) == 1
