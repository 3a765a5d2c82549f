"""`POST /api/v1/triage`: who may, what is answered, and what happens when it can't be."""

import asyncio
import json
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from datetime import date
from pathlib import Path

import httpx
import pytest

from bot.conversation.errors import ConfigError, Unavailable
from bot.conversation.triage import Triage
from bot.learning.registry import Registry
from bot.policies.priority import PrioritisedTriage
from bot.triage import service as service_module
from bot.triage.api import MAX_TEXTS, TriageAnswer
from bot.triage.service import MOST_WAITING, TriageService
from tests.conftest import eventually

ANGRY = "I was charged twice for LF-123456 and nobody answers. I will see you in court!"
CALM = "How long does delivery take?"


@pytest.fixture
def ask(installation):
    def post(body: object, role: str | None = "designer", path: str = "") -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if role:
            headers["Authorization"] = f"Bearer {installation.token(role)}"
        url = f"{installation.url}/api/v1/triage{path}"
        return httpx.post(url, content=json.dumps(body), headers=headers, timeout=60)

    return post


def test_texts_are_triaged_in_their_order_with_every_field(ask):
    answer = ask({"texts": [CALM, " ", ANGRY, "\u200b\u2060 &nbsp;"]})
    assert answer.status_code == 200, answer.text
    calm, nothing, angry, invisible = answer.json()["items"]
    assert invisible == nothing
    assert [one["priority"] for one in (calm, nothing, angry)] == ["P4", "P4", "P2"]
    assert set(angry) == {*Triage.model_fields, "priority", "reasons"}
    assert angry["reasons"][0] == {"code": "urgent", "cause": "legal", "details": ["Urgent: legal"]}
    assert angry["entities"] == [{"kind": "order_number", "value": "LF-123456", "start": 24, "end": 33}]
    assert calm["intent"] == "faq/delivery_time"


def test_a_text_is_explained_word_by_word(ask):
    answer = ask({"text": "the kettle arrived broken and nobody answers"}, "agent", "/explanation")
    assert answer.status_code == 200, answer.text
    parts = answer.json()["parts"]
    assert [(one["start"], one["end"]) for one in parts[:2]] == [(0, 3), (4, 10)]
    assert 30 in [one["start"] for one in sorted(parts, key=lambda one: -one["complaint"])[:1]]
    assert ask({"text": " "}, path="/explanation").json() == {"parts": []}
    assert ask({"texts": ["x"]}, path="/explanation").status_code == 422
    assert ask({"text": "x"}, None, "/explanation").status_code == 401


def test_as_many_texts_as_are_allowed_are_answered_and_the_chat_is_not_held_up(ask, installation):
    answer = ask({"texts": [f"{ANGRY} {number}" for number in range(MAX_TEXTS)]})
    assert len(answer.json()["items"]) == MAX_TEXTS
    assert httpx.get(f"{installation.url}/healthz", timeout=30).json() == {"status": "ok"}


@pytest.mark.parametrize("role", ["agent", "supervisor", "designer", "admin"])
def test_every_role_may(ask, role):
    assert ask({"texts": [CALM]}, role).status_code == 200


def test_without_a_token_nobody_may(ask):
    answer = ask({"texts": [CALM]}, None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"texts": []}, "texts: "),
        ({"texts": ["x"] * (MAX_TEXTS + 1)}, "texts: "),
        ({"texts": ["x" * 100_001]}, "texts.0: "),
        ({"texts": [1]}, "texts.0: "),
        ({"texts": ["\ud800"]}, "texts.0: "),
        ({"texts": ["x"], "more": 1}, "more: "),
        ({}, "texts: "),
        ([], ""),
    ],
)
def test_what_is_not_accepted_is_told(ask, body, told):
    answer = ask(body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_input"
    assert answer.json()["error"]["message"].startswith(told)


def test_a_body_that_is_too_large_is_refused(ask):
    assert ask({"texts": ["x" * 90_000] * 20}).status_code == 413


def test_the_description_has_an_example_that_is_true(installation):
    schema = httpx.get(f"{installation.url}/openapi.json", timeout=30).json()
    (example,) = schema["components"]["schemas"]["TriageAnswer"]["examples"]
    (item,) = TriageAnswer.model_validate(example).items
    assert set(example["items"][0]) == set(PrioritisedTriage.model_fields)
    assert ANGRY[item.entities[0].start : item.entities[0].end] == item.entities[0].value
    assert "/api/v1/triage" in httpx.get(f"{installation.url}/docs", timeout=30).text


class Scripted:
    """Answers when it is told to."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.asked: list[Future[list[PrioritisedTriage]]] = []
        self.closed: list[bool] = []

    def submit(self, texts: Sequence[str], today: date) -> Future[list[PrioritisedTriage]]:
        future: Future[list[PrioritisedTriage]] = Future()
        future.texts = texts
        self.asked.append(future)
        return future

    def close(self, *, finish: bool = False) -> None:
        self.closed.append(finish)

    def answer(self) -> None:
        future = self.asked.pop(0)
        future.set_result([PrioritisedTriage(intent=text, model=self.model.name) for text in future.texts])


class Stage:
    """A service over scripted processes, and the model that is live."""

    def __init__(self, idle_s: float) -> None:
        self.live: Path | None = Path("first")
        self.started: list[Scripted] = []
        self.service = TriageService(self.find, self.start, idle_s)

    def find(self) -> Path:
        if self.live is None:
            raise ConfigError("there is no trained assistant in /secret/place")
        return self.live

    def start(self, model: Path) -> Scripted:
        self.started.append(Scripted(model))
        return self.started[-1]

    async def answered(self, workers: int = 0) -> None:
        await eventually(lambda: len(self.started) > workers and self.started[workers].asked)
        self.started[workers].answer()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(idle_s=3600)
    yield stage
    await stage.service.close()


async def test_nothing_is_started_before_it_is_asked_for_and_then_once(stage):
    assert stage.started == []
    for _ in range(2):
        asking = asyncio.create_task(stage.service.triage(["x"]))
        await stage.answered()
        assert [one.intent for one in await asking] == ["x"]
    assert len(stage.started) == 1


async def test_too_many_that_wait_are_refused_and_later_ones_are_not(stage):
    asking = [asyncio.create_task(stage.service.triage(["x"])) for _ in range(MOST_WAITING)]
    await eventually(lambda: stage.started and len(stage.started[0].asked) == MOST_WAITING)
    with pytest.raises(Unavailable, match="too many texts wait"):
        await stage.service.triage(["x"])
    for _ in asking:
        stage.started[0].answer()
    await asyncio.gather(*asking)
    again = asyncio.create_task(stage.service.triage(["x"]))
    await stage.answered()
    await again


async def test_who_waits_too_long_is_told_to_try_again(stage, monkeypatch):
    monkeypatch.setattr(service_module, "PATIENCE_S", 0.05)
    with pytest.raises(Unavailable, match="takes too long"):
        await stage.service.triage(["x"])


async def test_a_model_that_becomes_live_is_used_and_the_old_one_finishes(stage):
    before = asyncio.create_task(stage.service.triage(["x"]))
    await eventually(lambda: stage.started and stage.started[0].asked)
    stage.live = Path("second")
    after = asyncio.create_task(stage.service.triage(["x"]))
    await stage.answered(1)
    assert (await after)[0].model == "second"
    await eventually(lambda: stage.started[0].closed == [True])
    stage.started[0].answer()
    assert (await before)[0].model == "first"


async def test_without_a_model_it_is_not_available_and_no_path_is_told(stage):
    stage.live = None
    with pytest.raises(Unavailable, match=r"^there is no trained assistant$"):
        await stage.service.triage(["x"])


async def test_when_nobody_asks_any_more_the_process_ends(stage):
    stage = Stage(idle_s=0.02)
    for number in range(2):
        asking = asyncio.create_task(stage.service.triage(["x"]))
        await stage.answered(number)
        await asking
        await eventually(lambda number=number: stage.started[number].closed == [True])
    await stage.service.close()


async def test_a_process_that_dies_is_replaced(models):
    service = TriageService(Registry(models).require_live)
    try:
        assert (await service.triage([CALM]))[0].intent == "faq/delivery_time"
        (process,) = (one for one in multiprocessing.active_children() if one.name == "triage")
        process.kill()
        await eventually(lambda: not process.is_alive())
        with pytest.raises(Unavailable, match="has ended"):
            await service.triage([CALM])
        assert (await service.triage([CALM]))[0].intent == "faq/delivery_time"
    finally:
        await service.close()
    assert not [one for one in multiprocessing.active_children() if one.name == "triage"]
