"""Triage for a server: one process beside it, started when it is asked for and ended when nobody asks any more.

So a web process neither loads the model nor spends its event loop on it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from bot.conversation.errors import ConfigError, Unavailable
from bot.conversation.explanation import Explanation
from bot.policies.priority import PrioritisedTriage
from bot.triage.workers import Workers

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MOST_WAITING = 8
"""Requests that wait at the same time; at 256 texts each, about ten seconds of work for one core."""
PATIENCE_S = 30.0
"""How long a request waits, the start of the process included."""
IDLE_S = 600.0
"""How long the process stays without a request; it takes about 200 MB."""


class Triages(Protocol):
    """What the service starts; see `Workers`."""

    def submit(self, texts: Sequence[str], today: date) -> Future[list[PrioritisedTriage]]:
        """Begin to triage texts."""

    def explain(self, text: str) -> Future[Explanation]:
        """Begin to explain a text."""

    def close(self, *, finish: bool = False) -> None:
        """End it, at once or after what it was asked for."""


def _one_process(model: Path) -> Triages:
    return Workers(model, 1)


class TriageService:
    """Triages texts with the live model.

    Args:
        find_model: returns the live model's file; raises ConfigError if there is none.
        start: starts what triages.
        idle_s: how long it stays without a request.
    """

    def __init__(
        self,
        find_model: Callable[[], Path],
        start: Callable[[Path], Triages] = _one_process,
        idle_s: float = IDLE_S,
    ) -> None:
        self._find_model = find_model
        self._start = start
        self._idle_s = idle_s
        self._lock = asyncio.Lock()
        self._running: tuple[Path, Triages] | None = None
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def triage(self, texts: Sequence[str]) -> list[PrioritisedTriage]:
        """Return the triage of each text.

        Raises:
            Unavailable: too many requests wait, it took too long, there is no model, or the process has ended.
        """
        return await self._in_turn(lambda workers: workers.submit(texts, datetime.now(UTC).date()))

    async def explain(self, text: str) -> Explanation:
        """Return which words of a text carried its complaint and its mood; raises what `triage` does."""
        return await self._in_turn(lambda workers: workers.explain(text))

    async def _in_turn(self, ask: Callable[[Triages], Future[Answer]]) -> Answer:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too many texts wait for their triage; try again")
        self._waiting += 1
        if self._timer:
            self._timer.cancel()
        try:
            async with asyncio.timeout(PATIENCE_S):
                workers = await self._workers()
                return await self._ask(workers, ask)
        except TimeoutError as error:
            raise Unavailable("the triage takes too long; try again with fewer texts") from error
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)

    async def close(self) -> None:
        """End the process."""
        if self._timer:
            self._timer.cancel()
        if self._running:
            await asyncio.to_thread(self._running[1].close)
            self._running = None
        await asyncio.gather(*self._closing)

    async def _workers(self) -> Triages:
        try:
            model = await asyncio.to_thread(self._find_model)
        except ConfigError as error:
            logger.error("triage_without_model error=%s", error)
            raise Unavailable("there is no trained assistant") from error
        async with self._lock:
            if self._running is None or self._running[0] != model:
                self._let_go()
                self._running = (model, await asyncio.to_thread(self._start, model))
                logger.info("triage_started model=%s", model.name)
            return self._running[1]

    async def _ask(self, workers: Triages, ask: Callable[[Triages], Future[Answer]]) -> Answer:
        try:
            return await asyncio.wrap_future(ask(workers))
        except (Unavailable, ConfigError):  # the process has ended: the next request starts another
            if self._running and self._running[1] is workers:
                self._let_go()
            raise

    def _let_go(self) -> None:
        """End the process in the background, after what it was asked for."""
        if self._running is None:
            return
        (_, workers), self._running = self._running, None
        task = asyncio.create_task(asyncio.to_thread(workers.close, finish=True))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
