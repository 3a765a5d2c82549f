"""Where custom actions run: in this process, or on the action server that endpoints.yml names.

Either way a failing action neither loses the customer nor leaks their words: the conversation goes to a person.
"""

import asyncio
import importlib
import inspect
import json
import logging
import pkgutil
import traceback
from collections.abc import Callable
from typing import Any

from jsonschema.validators import validator_for  # type: ignore[import-untyped]

from bot.conversation.errors import BadInput, ConfigError
from bot.conversation.events import Priority, Reason
from bot.rasa_runtime import prepare, tolerating_old_style

prepare()

from rasa.core.actions.action import ActionExecutionRejection, RemoteAction  # noqa: E402
from rasa.utils.endpoints import ClientResponseError, EndpointConfig, read_endpoint_config  # noqa: E402
from rasa_sdk.executor import ActionExecutor  # noqa: E402
from rasa_sdk.interfaces import Action, ActionNotFoundException  # noqa: E402
from rasa_sdk.interfaces import ActionExecutionRejection as Rejection  # noqa: E402

logger = logging.getLogger(__name__)

_SPEC = RemoteAction.action_response_format_spec()
_validator = validator_for(_SPEC)(_SPEC)
# Rasa checks the schema itself, too, each time: 27 of the 30 ms that an action took. We check the reply below.
RemoteAction._validate_action_result = lambda self, result: True

PACKAGE = "actions"
"""The package whose actions run in this process."""

UNSUPPORTED = {"reminder": "ReminderScheduled", "cancel_reminder": "ReminderCancelled", "pause": "ConversationPaused"}
"""Events of Rasa's that would bypass the conversation's owner, by their type name."""


class GuardedEndpoint(EndpointConfig):
    """An action endpoint whose failures become a handoff."""

    async def request(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the action that the request's body names and return its events and responses."""
        action = str((kwargs.get("json") or {}).get("next_action"))
        try:
            reply = _allowed(action, await self.call(*args, **kwargs))
        except ActionExecutionRejection:
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = type(error).__name__
            logger.error("action_failed action=%s error=%s at=%s:%s", action, what, place.filename, place.lineno)
            logger.debug("action_failed action=%s", action, exc_info=error)
            return _handoff(action, what)
        return reply

    async def call(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Run the action somewhere."""
        raise NotImplementedError


class LocalActions(GuardedEndpoint):
    """Runs the actions of a package in this process; those that are not coroutines run in a thread."""

    def __init__(self, package: str = PACKAGE) -> None:
        super().__init__(url=f"package:{package}", selective_domain=True)
        self._executor = ActionExecutor()
        for module in _modules(package):
            for action in vars(module).values():
                if isinstance(action, type) and issubclass(action, Action) and action.__module__ == module.__name__:
                    self._register(action)

    def _register(self, kind: type[Action]) -> None:
        if inspect.isabstract(kind):
            return
        action = kind()
        run = action.run
        self._executor.register_function(action.name(), run if inspect.iscoroutinefunction(run) else _threaded(run))

    async def call(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Run the action here."""
        try:
            reply: dict[str, Any] | None = await self._executor.run(kwargs["json"])
        except Rejection as rejection:
            raise ActionExecutionRejection(rejection.action_name) from rejection
        except ActionNotFoundException as error:
            raise ConfigError(f"domain.yml lists an action that is not in {PACKAGE}: {error.action_name}") from error
        return reply


class RemoteActions(GuardedEndpoint):
    """Calls an action server over HTTP, as Rasa does."""

    async def call(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Ask the server to run the action."""
        try:
            reply: dict[str, Any] | None = await EndpointConfig.request(self, *args, **kwargs)
        except ClientResponseError as error:
            if error.status == 400:
                raise ActionExecutionRejection(json.loads(error.text)["action_name"]) from error
            raise
        return reply


def action_endpoint(endpoints: str | None) -> EndpointConfig:
    """Return where actions run according to an endpoints file."""
    with tolerating_old_style():
        named = read_endpoint_config(endpoints, "action_endpoint") if endpoints else None
    if named is None or not named.url:
        return LocalActions()
    remote = RemoteActions()
    remote.__dict__.update(named.__dict__)
    return remote


def _modules(package: str) -> list[Any]:
    try:
        root = importlib.import_module(package)
        found = pkgutil.walk_packages(root.__path__, f"{package}.")
        return [root, *(importlib.import_module(name) for _, name, _ in found)]
    except ImportError as error:
        raise ConfigError(f"the custom actions in {package}/ can't be imported: {error}") from error


def _threaded(run: Callable[..., Any]) -> Callable[..., Any]:
    async def in_thread(dispatcher: Any, tracker: Any, domain: Any) -> Any:
        return await asyncio.to_thread(run, dispatcher, tracker, domain)

    return in_thread


def _allowed(action: str, reply: dict[str, Any] | None) -> dict[str, Any]:
    if not _validator.is_valid(reply):
        raise BadInput(f"the action {action} gave something else than events and responses")
    assert reply is not None
    events = []
    for event in reply.get("events") or []:
        name = UNSUPPORTED.get(str(event.get("event")))
        if name:
            logger.error("action_event_ignored action=%s event=%s", action, name)
        else:
            events.append(event)
    return {"events": events, "responses": reply.get("responses") or []}


def _handoff(action: str, error: str) -> dict[str, Any]:
    command = {
        "command": "hand_over",
        "reason": Reason.BOT_FAILURE,
        "priority": Priority.P3,
        "details": [f"The action {action} failed ({error})."],
    }
    return {
        "events": [
            {"event": "active_loop", "name": None},
            {"event": "slot", "name": "requested_slot", "value": None},
            {"event": "followup", "name": "action_listen"},
        ],
        "responses": [{"response": "utter_action_failed"}, {"custom": {"frontdesk": command}}],
    }
