"""Nothing is lost and nothing is said twice, whatever is killed: the promise of the conversation log, on a real run.

2,000 messages of 200 customers flow through REST and Telegram while worker, sender, web process and Redis are killed
(SIGKILL) at random moments, each while some messages have no answer yet; the supervisor starts them again. Set
FRONTDESK_KILL_SEED to repeat a run.
"""

import asyncio
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from bot.cli import installation as files
from bot.conversation.events import Author
from bot.conversation.ids import ConversationId
from handoff.database import Database
from handoff.tables import ConversationRow, EventRow, MessageRow
from tests.conftest import eventually
from tests.fakes.telegram_server import TelegramServer
from tests.running import Installation

CUSTOMERS = 100
"""Of each channel."""
MESSAGES = 10
"""Of each customer."""
VICTIMS = ("worker", "sender", "web", "redis")
KILLS = 8
QUESTIONS = (
    "How long does delivery take?",
    "Which cards do you accept?",
    "How do I reset my password?",
    "What are your opening hours?",
    "How long do refunds take?",
    "How do I send something back?",
    "How does click and collect work?",
    "Do you deliver to Ireland?",
    "How do I use a gift card?",
    "Where can I see the size guide?",
)
TOKEN = "424242:kill-test-token"


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("FRONTDESK_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"FRONTDESK_KILL_SEED={seed}")
    return random.Random(seed)


async def rest_customer(client: httpx.AsyncClient, customer: str, rounds: Sequence[asyncio.Event]) -> None:
    """Say everything in order; whatever goes wrong, say it again under the same id."""
    for number in range(MESSAGES):
        await rounds[number].wait()
        body = {"customer": customer, "text": QUESTIONS[number], "message_id": f"{customer}-{number}"}
        while True:
            try:
                answer = await client.post("/api/v1/messages", json=body)
                if answer.status_code == 202:
                    break
                assert answer.status_code in (429, 500, 502, 503), answer.text
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)


async def kill_at_random(
    running: Installation, telegram: TelegramServer, chance: random.Random, rounds: Sequence[asyncio.Event]
) -> Counter[str]:
    """Kill one process after the other, each once at least; each time a new round of messages has just begun."""
    victims = [*VICTIMS, *chance.choices(VICTIMS, k=KILLS - len(VICTIMS))]
    chance.shuffle(victims)
    killed: Counter[str] = Counter()
    said = 0
    for kill, victim in enumerate(victims):
        for number in (number for number in range(MESSAGES) if number * KILLS // MESSAGES == kill):
            rounds[number].set()
            for customer in range(CUSTOMERS):
                telegram.say(1000 + customer, QUESTIONS[number])
                said += 1
        await asyncio.sleep(chance.uniform(0.0, 0.7))
        pid = await asyncio.to_thread(running.pid_of, victim)
        assert len(telegram.sent()) < said, "nothing was going on any more"
        os.kill(pid, signal.SIGKILL)
        killed[victim] += 1
        heard = len(running.err)

        def back(victim: str = victim, heard: int = heard) -> bool:
            return any(f"{victim} is ready again" in line for line in running.err[heard:])

        await eventually(back, f"{victim} back", timeout_s=120)
    return killed


async def test_nothing_is_lost_or_said_twice(tmp_path: Path, models: Path, chance: random.Random) -> None:
    with TelegramServer(TOKEN) as telegram:
        settings = {
            "FRONTDESK_ASSISTANT__MODELS": str(models),
            "FRONTDESK_TELEGRAM__TOKEN": TOKEN,
            "FRONTDESK_TELEGRAM__BASE_URL": telegram.base_url,
            "FRONTDESK_TELEGRAM__BASE_FILE_URL": telegram.base_file_url,
            "FRONTDESK_WEB__RATE_PER_MINUTE": "1000000",
        }
        with Installation(tmp_path / "data", **settings) as running:
            token = running.token("agent")
            rounds = [asyncio.Event() for _ in range(MESSAGES)]
            limits = httpx.Limits(max_connections=20)
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                httpx.AsyncClient(base_url=running.url, headers=headers, limits=limits, timeout=60) as client,
                asyncio.TaskGroup() as group,
            ):
                killer = group.create_task(kill_at_random(running, telegram, chance, rounds))
                for number in range(CUSTOMERS):
                    group.create_task(rest_customer(client, f"rest{number}", rounds))
            killed = killer.result()
            assert set(killed) == set(VICTIMS)
            await settle(running)
            await check(running, telegram)
            doctor = running.run("doctor")
            assert doctor.returncode == 0, doctor.stdout + doctor.stderr


async def settle(running: Installation) -> None:
    """Wait until the inbox and the outbox are empty and PostgreSQL shows everything."""
    runtime = files.find(running.data)
    assert runtime
    redis = Redis.from_url(runtime.redis_url, decode_responses=True)
    try:

        async def quiet() -> bool:
            names = [key async for key in redis.scan_iter(match="fd:{*}:*", _type="stream", count=1000)]
            busy = [name for name in names if re.search(r":(inbox|outbox|events)$", name)]
            return sum([await redis.xlen(name) for name in busy]) == 0

        await eventually(quiet, "an empty inbox and outbox", timeout_s=180)
    finally:
        await redis.aclose()


async def check(running: Installation, telegram: TelegramServer) -> None:
    runtime = files.find(running.data)
    assert runtime
    database = Database(runtime.database_url)
    try:
        async with database.session() as session:
            conversations = list(await session.scalars(select(ConversationRow.id)))
            query = select(EventRow).where(EventRow.type == "turn_taken")
            turns = Counter((row.conversation, row.data["in_reply_to"]) for row in await session.scalars(query))
            rows = list(await session.scalars(select(MessageRow).order_by(MessageRow.conversation, MessageRow.seq)))
    finally:
        await database.close()
    assert len(conversations) == 2 * CUSTOMERS
    assert set(turns.values()) == {1}
    assert len(turns) == 2 * CUSTOMERS * MESSAGES
    for conversation in conversations:
        said = [row for row in rows if row.conversation == conversation]
        check_conversation(conversation, said, telegram)


def check_conversation(conversation: ConversationId, rows: list[MessageRow], telegram: TelegramServer) -> None:
    asked = [row for row in rows if row.author is Author.CUSTOMER]
    said = [row for row in rows if row.author is not Author.CUSTOMER]
    assert [row.text for row in asked] == list(QUESTIONS), conversation
    assert all(row.author is Author.BOT for row in said), conversation
    order = {row.id: place for place, row in enumerate(asked)}
    replied = [order[row.in_reply_to] for row in said]
    assert replied == sorted(replied), conversation
    assert set(replied) == set(range(MESSAGES)), conversation
    assert {row.delivery.value for row in said if row.delivery} == {"delivered"}, conversation
    if conversation.startswith("telegram:"):
        received = telegram.texts(int(conversation.split(":")[1]))
        assert arrived(received, said), (conversation, received, [(row.text, row.repeated) for row in said])


def arrived(received: list[str], said: list[MessageRow]) -> bool:
    """Say whether each message came, in order, once and no more often besides than is counted."""
    came = [(text, len(list(same))) for text, same in groupby(received)]
    told = [(text, list(same)) for text, same in groupby(said, key=lambda row: row.text)]
    # A sender that died just before its call is counted too: nobody can know that it never made it.
    return [text for text, _ in came] == [text for text, _ in told] and all(
        len(rows) <= times <= len(rows) + sum(row.repeated for row in rows)
        for (_, times), (_, rows) in zip(came, told, strict=True)
    )
