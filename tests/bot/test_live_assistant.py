"""A new model is taken between turns; one that can't be used changes nothing."""

import asyncio
import gc
import logging
import re
import weakref
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from bot.conversation.errors import ConfigError
from bot.conversation.messages import Inbound
from bot.conversation.triage import Triage
from bot.learning.registry import How, Registry
from bot.live_assistant import LiveAssistant
from bot.turns import Turn
from tests.bot.scripted import ScriptedAssistant
from tests.conftest import eventually

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
LOGGER = "bot.live_assistant"


class Loaded(ScriptedAssistant):
    """Answers with the words of its file; "wait" lasts until the test lets it go on."""

    def __init__(self, words: str, go_on: asyncio.Event) -> None:
        super().__init__()
        self.words = words
        self.go_on = go_on

    async def turn(self, inbound: Inbound, payload: str | None, memory: str, returned: bool) -> Turn:
        if inbound.text == "wait":
            await self.go_on.wait()
        return await super().turn(inbound.model_copy(update={"text": self.words}), payload, memory, returned)

    async def triage(self, text: str) -> Triage:
        return Triage(model=self.words)


class Desk:
    """The models of a test, and the assistant that follows them."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry(folder)
        self.told: list[str] = []
        self.loaded: list[str] = []
        self.alive: list[weakref.ref[Loaded]] = []
        self.go_on = asyncio.Event()
        self.stop = asyncio.Event()
        self.promote("first")
        self.assistant = LiveAssistant(self.registry, self.load, self.told.append)

    def load(self, model: Path) -> Loaded:
        words = model.read_text()
        self.loaded.append(words)
        if words == "corrupt":
            raise ConfigError(f"the model {model.name} can't be loaded")
        if words == "explosive":
            raise RuntimeError("a secret of a customer")
        made = Loaded(words, self.go_on)
        made.circle = made  # like Rasa's processor, it refers to itself
        self.alive.append(weakref.ref(made))
        return made

    def promote(self, words: str) -> None:
        self.registry.folder.mkdir(exist_ok=True)
        model = self.registry.folder / f"{words}.tar.gz"
        model.write_text(words)
        self.registry.make_live(model, How.PROMOTED, NOW)

    async def says(self, text: str = "hello") -> str:
        inbound = Inbound(channel="web", customer="c", channel_message="p", message="m", received_at=NOW, text=text)
        turn = await self.assistant.turn(inbound, None, "", False)
        return turn.replies[0].text.removeprefix("echo ")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "models")
    watching = asyncio.create_task(desk.assistant.watch(desk.stop, every_s=0.01))
    yield desk
    desk.stop.set()
    await watching


async def test_the_next_turn_is_of_the_model_that_became_live(desk: Desk) -> None:
    assert await desk.says() == "first"
    desk.promote("second")
    await eventually(lambda: desk.told)
    assert await desk.says() == "second"
    assert (await desk.assistant.triage("hello")).model == "second"
    assert desk.told == ["a worker answers with the model second.tar.gz"]
    desk.registry.roll_back()
    await eventually(lambda: len(desk.told) == 2)
    assert await desk.says() == "first"


async def test_a_turn_ends_with_the_model_that_it_began_with(desk: Desk) -> None:
    running = asyncio.create_task(desk.says("wait"))
    await asyncio.sleep(0)
    desk.promote("second")
    await eventually(lambda: desk.told)
    assert await desk.says() == "second"
    assert not running.done()
    desk.go_on.set()
    assert await running == "first"


async def test_the_old_model_leaves_the_memory(desk: Desk) -> None:
    gc.disable()
    try:
        desk.promote("second")
        await eventually(lambda: desk.alive[0]() is None, "the old model is gone")
    finally:
        gc.enable()
    assert desk.alive[1]() is not None


@pytest.mark.parametrize(
    ("words", "why"),
    [("corrupt", r"the model corrupt\.tar\.gz can't be loaded"), ("explosive", "unexpected RuntimeError")],
)
async def test_a_model_that_can_not_be_used_is_told_once_and_the_old_one_goes_on(
    desk: Desk, caplog: pytest.LogCaptureFixture, words: str, why: str
) -> None:
    with caplog.at_level(logging.ERROR, LOGGER):
        desk.promote(words)
        await eventually(lambda: desk.told)
        desk.registry.nominate(desk.registry.folder / "first.tar.gz")
        assert await desk.says() == "first"
        assert re.fullmatch(f"a worker keeps the model first.tar.gz: {why}.*", desk.told[0])
        desk.promote("third")
        await eventually(lambda: len(desk.told) == 2)
    assert await desk.says() == "third"
    assert desk.loaded == ["first", words, "third"]
    assert [record.args[0] for record in caplog.records] == ["first.tar.gz"]


async def test_a_model_that_was_mended_in_place_is_taken(desk: Desk) -> None:
    desk.promote("corrupt")
    await eventually(lambda: desk.told)
    (desk.registry.folder / "corrupt.tar.gz").write_text("mended")
    await eventually(lambda: len(desk.told) == 2)
    assert await desk.says() == "mended"


async def test_a_damaged_registry_changes_nothing(desk: Desk) -> None:
    good = desk.registry.file.read_bytes()
    desk.registry.file.write_text("{")
    await eventually(lambda: desk.told)
    assert "live.json is damaged" in desk.told[0]
    assert await desk.says() == "first"
    desk.registry.file.write_bytes(good)
    desk.promote("second")
    await eventually(lambda: len(desk.told) == 2)
    assert await desk.says() == "second"


async def test_a_candidate_is_not_taken(desk: Desk) -> None:
    candidate = desk.registry.folder / "candidate.tar.gz"
    candidate.write_text("candidate")
    desk.registry.nominate(candidate)
    desk.promote("second")
    await eventually(lambda: desk.told)
    assert desk.loaded == ["first", "second"]


async def test_the_loop_is_free_while_a_model_is_loaded(desk: Desk) -> None:
    loading, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    plain = desk.load

    def slowly(model: Path) -> Loaded:
        loop.call_soon_threadsafe(loading.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return plain(model)

    desk.assistant._load = slowly
    desk.promote("second")
    await asyncio.wait_for(loading.wait(), 10)
    assert await desk.says() == "first"
    go_on.set()
    await eventually(lambda: desk.told)
    assert await desk.says() == "second"


def test_without_a_live_model_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "some.tar.gz").write_text("some")
    with pytest.raises(ConfigError, match="frontdesk train"):
        LiveAssistant(Registry(tmp_path), lambda _: ScriptedAssistant(), print)
