"""How much a client may ask of the web process: requests in a minute, bytes in a body."""

import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from bot.channels.text import mend_surrogates
from bot.conversation.errors import BadInput, RateLimited

WINDOW_S = 60.0
SWEEP_AT = 10_000
"""Number of keys at which those without a call in the last minute are forgotten."""

M = TypeVar("M", bound=BaseModel)


class Rate:
    """Allows each key so many calls in any minute; counted in this process."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}
        self._sweep_at = SWEEP_AT

    def take(self, key: str) -> None:
        """Count a call.

        Raises:
            RateLimited: there were too many.
        """
        now = self._clock()
        if len(self._calls) >= self._sweep_at:
            self._sweep(now)
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now - WINDOW_S:
            calls.popleft()
        if len(calls) >= self._per_minute:
            after_s = calls[0] + WINDOW_S - now if calls else WINDOW_S
            raise RateLimited(f"at most {self._per_minute} a minute are accepted", after_s)
        calls.append(now)

    def _sweep(self, now: float) -> None:
        self._calls = {key: calls for key, calls in self._calls.items() if calls and calls[-1] > now - WINDOW_S}
        self._sweep_at = max(SWEEP_AT, 2 * len(self._calls))


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        BadInput: it is larger than `max_bytes`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BadInput(f"the request is too large; at most {max_bytes} bytes are accepted")
    return bytes(body)


def parse_object(data: str | bytes, model: type[M]) -> M:
    """Return what a client sent as JSON.

    Raises:
        BadInput: it is not JSON, or not an object of this kind.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput("the request is not JSON") from error
    if not isinstance(found, dict):
        raise BadInput("the request must be a JSON object")
    return validated(found, model)


def validated(found: dict[str, Any], model: type[M]) -> M:
    """Return an object as a model, telling the client which field is wrong.

    Raises:
        BadInput: a field is missing, unknown or of the wrong type.
    """
    mended = {key: mend_surrogates(value) if isinstance(value, str) else value for key, value in found.items()}
    try:
        return model.model_validate(mended)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = mend_surrogates(".".join(str(part) for part in first["loc"])[:80])
        raise BadInput(f"{where}: {first['msg']}") from error
