"""Where custom actions run, and what happens when they fail."""

import json
import logging
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.action_endpoint import LocalActions, RemoteActions, action_endpoint
from bot.conversation.errors import ConfigError

from rasa.core.actions.action import ActionExecutionRejection  # isort: skip

SECRET = "my secret diary"

SHOP = """
from rasa_sdk import Action, ActionExecutionRejection
from rasa_sdk.events import ReminderScheduled, SlotSet

class Book(Action):
    def name(self):
        return "action_book"
    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(text="booked")
        return [SlotSet("booked", True)]

class Slow(Action):
    def name(self):
        return "action_in_a_thread"
    def run(self, dispatcher, tracker, domain):
        import threading
        return [SlotSet("main", threading.current_thread() is threading.main_thread())]

class Remind(Action):
    def name(self):
        return "action_remind"
    async def run(self, dispatcher, tracker, domain):
        return [{"event": "reminder", "intent": "x"}, SlotSet("booked", True)]

class Fail(Action):
    def name(self):
        return "action_fail"
    async def run(self, dispatcher, tracker, domain):
        raise ValueError(tracker.latest_message["text"])

class Reject(Action):
    def name(self):
        return "action_reject"
    async def run(self, dispatcher, tracker, domain):
        raise ActionExecutionRejection("action_reject")

class Nonsense(Action):
    def name(self):
        return "action_nonsense"
    async def run(self, dispatcher, tracker, domain):
        return [{"event": 7}]
"""


def call(action: str) -> dict[str, Any]:
    tracker = {
        "sender_id": "a",
        "slots": {},
        "latest_message": {"text": SECRET},
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": None,
    }
    return {"next_action": action, "sender_id": "a", "tracker": tracker}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalActions]:
    folder = tmp_path_factory.mktemp("actions")
    (folder / "shopactions").mkdir()
    (folder / "shopactions" / "__init__.py").write_text("")
    (folder / "shopactions" / "shop.py").write_text(textwrap.dedent(SHOP))
    sys.path.insert(0, str(folder))
    try:
        yield LocalActions("shopactions")
    finally:
        sys.path.remove(str(folder))


async def test_an_action_runs_in_this_process(local: LocalActions) -> None:
    reply = await local.request(json=call("action_book"))
    assert reply["events"] == [{"event": "slot", "timestamp": None, "name": "booked", "value": True}]
    assert reply["responses"][0]["text"] == "booked"


async def test_a_plain_function_runs_in_a_thread(local: LocalActions) -> None:
    reply = await local.request(json=call("action_in_a_thread"))
    assert reply["events"][0]["value"] is False


async def test_a_reminder_is_ignored_because_it_would_bypass_the_owner(
    local: LocalActions, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await local.request(json=call("action_remind"))
    assert [event["event"] for event in reply["events"]] == ["slot"]
    assert "action_event_ignored action=action_remind event=ReminderScheduled" in caplog.text


@pytest.mark.parametrize("action", ["action_fail", "action_nonsense", "action_that_is_not_there"])
async def test_a_failing_action_becomes_a_handoff_and_tells_no_words(
    local: LocalActions, caplog: pytest.LogCaptureFixture, action: str
) -> None:
    caplog.set_level(logging.INFO)
    reply = await local.request(json=call(action))
    command = reply["responses"][1]["custom"]["frontdesk"]
    assert (command["command"], command["reason"]) == ("hand_over", "bot_failure")
    assert action in command["details"][0]
    assert f"action_failed action={action}" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in json.dumps(reply)


async def test_a_rejection_is_passed_on(local: LocalActions) -> None:
    with pytest.raises(ActionExecutionRejection):
        await local.request(json=call("action_reject"))


def test_actions_that_can_not_be_imported_are_told() -> None:
    with pytest.raises(ConfigError, match="custom actions in nowhere/"):
        LocalActions("nowhere")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def run(request: web.Request) -> web.Response:
        asked = await request.json()
        match asked["next_action"]:
            case "action_book":
                return web.json_response({"events": [], "responses": [{"text": "booked"}]})
            case "action_reject":
                return web.json_response({"action_name": "action_reject", "error": "no"}, status=400)
            case _:
                return web.json_response({"error": asked}, status=500)

    application = web.Application()
    application.router.add_post("/webhook", run)
    async with TestServer(application) as running:
        yield running


@pytest.fixture
def remote(server: TestServer, tmp_path: Path) -> RemoteActions:
    file = tmp_path / "endpoints.yml"
    file.write_text(f"action_endpoint:\n  url: {server.make_url('/webhook')}\n")
    endpoint = action_endpoint(str(file))
    assert isinstance(endpoint, RemoteActions)
    return endpoint


async def test_an_action_server_is_called_if_one_is_named(remote: RemoteActions) -> None:
    assert (await remote.request(json=call("action_book")))["responses"] == [{"text": "booked"}]


async def test_a_servers_rejection_is_passed_on(remote: RemoteActions) -> None:
    with pytest.raises(ActionExecutionRejection):
        await remote.request(json=call("action_reject"))


async def test_a_servers_error_that_echoes_the_request_tells_no_words(
    remote: RemoteActions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reply = await remote.request(json=call("action_fail"))
    assert reply["responses"][1]["custom"]["frontdesk"]["reason"] == "bot_failure"
    assert SECRET not in caplog.text


async def test_a_server_that_is_away_becomes_a_handoff() -> None:
    endpoint = RemoteActions(url="http://127.0.0.1:9/webhook")
    reply = await endpoint.request(json=call("action_book"))
    assert reply["responses"][1]["custom"]["frontdesk"]["reason"] == "bot_failure"


@pytest.mark.parametrize("endpoints", [None, "{}\n"])
def test_without_a_server_actions_run_here(tmp_path: Path, endpoints: str | None) -> None:
    file = tmp_path / "endpoints.yml"
    if endpoints:
        file.write_text(endpoints)
    assert isinstance(action_endpoint(str(file) if endpoints else None), LocalActions)
