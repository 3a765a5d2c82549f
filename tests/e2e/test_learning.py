"""The learning loop, on a running installation: a new question is taught by commands alone, while customers write.

It works on a copy of the assistant's files; its live model is the one that all tests share.
"""

import asyncio
import io
import json
import random
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from bot.cli import installation as files
from bot.conversation.events import utc_now
from bot.learning.registry import How, Registry
from handoff.database import Database
from handoff.tables import EventRow
from tests.conftest import eventually
from tests.running import ROOT, Installation, frontdesk

INTENT = "faq/picture_framing"
ANSWER = "Our shops frame pictures up to A2 for £15"
ASKED = (
    "can you frame a picture for me",
    "do your shops frame prints",
    "i have a poster, do you do framing",
    "is there a picture framing service",
)
NEW_QUESTION = f"""
new:
- intent: {INTENT}
  title: Picture framing
  topic: stores
  answer: "{ANSWER}."
  examples:
  - picture framing
  - how much to get a photo framed
  - do i need to book to have something framed
  - can i bring in a painting to be framed
  - where can i get my print put in a frame
  - how long does it take to frame a poster
  - got a big canvas, could the shop frame it
  - do you frame certificates as well as photos
  golden:
  - whats the price for having an oil painting framed
  - could someone put my wedding photo behind glass in a frame
  - need two watercolours framed, do you do that in store
"""
ASKED_LATER = "hi, would you be able to frame a couple of prints for me?"
TRAFFIC = ("how long does delivery take?", "how long do refunds take?", "how do I reset my password?")
CUSTOMERS = 3
PAUSE_S = 1.0
"""Of each customer after a message: more would take the time from the training that goes on beside them."""


class Team:
    """Who teaches: the files of an assistant, and the commands."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.registry = Registry(folder / "models")
        for name in ("config.yml", "domain.yml", "endpoints.yml"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "nlu_data", folder / "nlu_data")
        self.registry.folder.mkdir()
        self.first = Path(shutil.copy(model, self.registry.folder / model.name))
        self.registry.make_live(self.first, How.TRAINED, utc_now())
        (folder / ".frontdesk").mkdir()
        cache = ROOT / ".frontdesk" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        (folder / ".frontdesk" / "cache").symlink_to(cache)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return frontdesk(*arguments, "--data", str(self.data), cwd=self.folder, timeout_s=1800)

    async def does(self, *arguments: str) -> str:
        """Run a command that has to work, while customers write."""
        done = await asyncio.to_thread(self.run, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def is_refused(self, *arguments: str) -> str:
        done = await asyncio.to_thread(self.run, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        return done.stderr


@pytest.fixture
def team(tmp_path: Path, models: Path) -> Team:
    live = Registry(models).live()
    assert live
    return Team(tmp_path, live)


@pytest.fixture
def running(team: Team) -> Iterator[Installation]:
    settings = {"FRONTDESK_ASSISTANT__MODELS": str(team.registry.folder), "FRONTDESK_WEB__RATE_PER_MINUTE": "1000000"}
    with Installation(team.data, **settings) as running:
        yield running


class Customers:
    """Who writes meanwhile: each message is answered once, and the right thing is said."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.written = 0

    async def ask(self, customer: str, text: str) -> list[str]:
        self.written += 1
        answer = await self.client.post("/api/v1/messages?wait_s=20", json={"customer": customer, "text": text})
        assert answer.status_code in (200, 202), answer.text
        return [reply["text"] for reply in answer.json()["replies"]]

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Let customers write, one message after the other, until the block ends."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(CUSTOMERS):
                tasks.create_task(self._write(f"busy{number}", stop))
            try:
                yield
            finally:
                stop.set()

    async def _write(self, customer: str, stop: asyncio.Event) -> None:
        expected: dict[str, list[str]] = {}
        while not stop.is_set():
            for text in TRAFFIC:
                replies = await self.ask(customer, text)
                assert replies, text
                assert replies == expected.setdefault(text, replies)
                await asyncio.sleep(PAUSE_S)


def label(review: Path) -> None:
    """Do what a designer does in an editor: describe the new question, and name the intent of the messages about it."""
    text = review.read_text()
    for asked in ASKED:
        text, found = re.subn(rf'(- text: "{re.escape(asked)}"\n  intent:)', rf"\1 {INTENT}", text)
        assert found <= 1
    assert INTENT in text
    review.write_text(text.replace("\nmessages:\n", f"{NEW_QUESTION}\nmessages:\n"))


def sabotage(model: Path, out: Path) -> None:
    """Make a model that has learnt its intents under shuffled names."""
    with tarfile.open(model) as source, tarfile.open(out, "w:gz") as target:
        for member in source:
            content = source.extractfile(member).read() if member.isfile() else b""
            if member.name.endswith("/intents.json"):
                told = json.loads(content)
                random.Random(1).shuffle(told["linears"]["intent"]["labels"])
                content = json.dumps(told).encode()
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))


async def turns_of(running: Installation) -> Counter[str]:
    """Return how often each message was given a turn."""
    runtime = files.find(running.data)
    assert runtime
    database = Database(runtime.database_url)
    try:
        async with database.session() as session:
            taken = select(EventRow.data["in_reply_to"].astext).where(EventRow.type == "turn_taken")
            return Counter(await session.scalars(taken))
    finally:
        await database.close()


async def test_a_new_question_is_taught_by_commands_while_customers_write(team: Team, running: Installation) -> None:
    worker = running.pid_of("worker")
    headers = {"Authorization": f"Bearer {running.token()}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
        customers = Customers(client)
        async with customers.writing():
            for number, text in enumerate(ASKED):
                assert ANSWER not in str(await customers.ask(f"asks{number}", text))
            await teach(team)
            assert "it was not evaluated" in await team.is_refused("promote")
            told = await team.does("evaluate", "--replay-days", "1", "--json", "report.json")
            assert f"kept in models/{team.registry.standing().candidate.split('.')[0]}.evaluation.json" in told
            check_report(team)
            assert ANSWER not in str(await customers.ask("early", ASKED_LATER))

            candidate = team.registry.find(team.registry.standing().candidate)
            assert f"{candidate.name} is live instead of {team.first.name}" in await team.does("promote")
            await is_taken(running, candidate)
            assert ANSWER in str(await customers.ask("late", ASKED_LATER))

            await check_sabotage(team, candidate)

            assert f"{team.first.name} is live again" in await team.does("rollback")
            await is_taken(running, team.first)
            assert ANSWER not in str(await customers.ask("later", ASKED_LATER))

        async def all_taken() -> bool:
            return (await turns_of(running)).total() >= customers.written

        await eventually(all_taken, "every message has its turn", timeout_s=120)
        turns = await turns_of(running)
        assert len(turns) == customers.written
        assert set(turns.values()) == {1}
    assert running.pid_of("worker") == worker
    assert running.err == []


async def teach(team: Team) -> None:
    """Review, edit, import, train."""
    review = team.folder / "labels.yml"

    async def exported() -> bool:
        await team.does("review", "export", "--since", "1d", "--out", str(review))
        found = any(f'"{text}"' in review.read_text() for text in ASKED)
        if not found:
            review.unlink()
        return found

    await eventually(exported, "the messages are in the review", timeout_s=180)
    label(review)
    await team.does("review", "import", str(review))
    trained = await team.does("train", "--candidate")
    assert team.registry.standing().candidate == Path(trained.strip()).name
    assert team.registry.live() == team.first


def check_report(team: Team) -> None:
    report = json.loads((team.folder / "report.json").read_text())
    heads = {head["head"]: head for head in report["heads"]}
    assert {"intents", "complaint", "severity", "sentiment", "entities"} <= set(heads)
    assert heads["intents"]["comparison"]["better"] > 0
    changed = {(pair["before"], pair["after"]) for pair in report["replay"]["pairs"]}
    assert any(after == INTENT for _, after in changed), changed
    assert report["replay"]["as_logged"] == report["replay"]["episodes"]


async def check_sabotage(team: Team, good: Path) -> None:
    bad = team.registry.folder / "sabotaged.tar.gz"
    sabotage(good, bad)
    await team.does("evaluate", "sabotaged")
    told = await team.is_refused("promote", "sabotaged")
    assert "sabotaged.tar.gz is not promoted: intents: accuracy 0." in told
    assert "intents: significantly worse than the live model" in told
    assert team.registry.live() == good


async def is_taken(running: Installation, model: Path) -> None:
    line = f"a worker answers with the model {model.name}"
    await eventually(lambda: running.out[-1] == line, line, timeout_s=120)
