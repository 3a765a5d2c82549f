"""The assistant of the live model: takes a new model between turns, without a restart."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.conversation.errors import ConfigError
from bot.conversation.messages import Inbound
from bot.conversation.triage import Triage
from bot.learning.registry import Registry
from bot.turns import Assists, Turn

logger = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often it is looked whether another model became live."""


@dataclass(frozen=True, slots=True)
class _Announced:
    """What the registry names: a file, as it is now, or why none can be named."""

    model: Path | None
    stamp: tuple[int, ...] = ()
    problem: str = ""


class LiveAssistant:
    """Answers with the live model. A turn ends with the model that it began with; the next one begins with the new.

    Args:
        registry: knows which model is live.
        load: makes an assistant of a model's file; called in a thread, except for the first.
        told: is told in one line what the operator should see.
    """

    def __init__(self, registry: Registry, load: Callable[[Path], Assists], told: Callable[[str], None]) -> None:
        """Load the live model.

        Raises:
            ConfigError: there is none, or it can't be used.
        """
        self._registry = registry
        self._load = load
        self._told = told
        self._seen = self._serving = self._announced()
        if self._seen.model is None:
            raise ConfigError(self._seen.problem)
        self._assistant = load(self._seen.model)

    async def turn(self, inbound: Inbound, payload: str | None, memory: str, returned: bool) -> Turn:
        """Answer a message."""
        return await self._assistant.turn(inbound, payload, memory, returned)

    async def triage(self, text: str) -> Triage:
        """Say what a message is about, without answering."""
        return await self._assistant.triage(text)

    async def watch(self, stop: asyncio.Event, every_s: float = LOOK_S) -> None:
        """Take every model that becomes live, until `stop` is set. One that can't be used changes nothing."""
        while not stop.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)

    async def look(self) -> None:
        """Take the model that is live, if it is another one than before."""
        announced = await asyncio.to_thread(self._announced)
        if announced != self._seen:
            self._seen = announced
            await self._follow(announced)

    async def _follow(self, announced: _Announced) -> None:
        if announced == self._serving:
            return
        try:
            if announced.model is None:
                raise ConfigError(announced.problem)
            started = time.perf_counter()
            self._assistant = await asyncio.to_thread(self._load, announced.model)
        except Exception as error:
            # Whatever a file holds, the model that works goes on.
            expected = isinstance(error, ConfigError)
            why = str(error) if expected else f"unexpected {type(error).__name__}"
            logger.error("model_refused kept=%s why=%s", self._name, why, exc_info=not expected)
            self._told(f"a worker keeps the model {self._name}: {why}")
            return
        logger.info("model_live model=%s seconds=%.1f", announced.model.name, time.perf_counter() - started)
        self._serving = announced
        self._told(f"a worker answers with the model {self._name}")
        # What Rasa makes of a model refers to itself in circles; unless swept up, the old one stays in memory for long.
        await asyncio.to_thread(gc.collect)

    @property
    def _name(self) -> str:
        return self._serving.model.name if self._serving.model else ""

    def _announced(self) -> _Announced:
        try:
            model = self._registry.require_live()
            found = model.stat()
        except (ConfigError, OSError) as error:
            return _Announced(None, problem=str(error))
        return _Announced(model, (found.st_mtime_ns, found.st_size, found.st_ino))
