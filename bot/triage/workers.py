"""Triage in processes of their own, so that it uses every core and its memory and time are no one else's.

A process serves one request at a time over a pipe that only its parent holds: when the parent ends, however it ends,
the pipe does, and with it the process.
"""

import contextlib
import logging
import multiprocessing
import signal
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bot.conversation.errors import FrontdeskError, Unavailable
from bot.conversation.explanation import Explanation
from bot.policies.priority import PrioritisedTriage

logger = logging.getLogger(__name__)

JOIN_S = 5.0


class Workers:
    """Processes that triage; each loads the model when it starts. Safe to use from several threads."""

    def __init__(self, model: Path, count: int) -> None:
        """Start `count` processes; that one can't use the model is told by the first result."""
        context = multiprocessing.get_context("spawn")
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        self._free: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, model), name="triage", daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))
            self._free.put(ours)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="triage")

    def submit(self, texts: Sequence[str], today: date) -> Future[list[PrioritisedTriage]]:
        """Let the next free process triage texts; relative dates count from `today`.

        Raises (the future):
            ConfigError: the model can't be used.
            Unavailable: the process has ended.
            RuntimeError: the triage of one of the texts failed.
        """
        return self._threads.submit(self._ask, "sort", texts, today)

    def explain(self, text: str) -> Future[Explanation]:
        """Let the next free process explain a text; raises what `submit` does."""
        return self._threads.submit(self._ask, "explain", text)

    def close(self, *, finish: bool = False) -> None:
        """End all processes, whatever they are doing; with `finish`, after all that was submitted."""
        if finish:
            self._threads.shutdown()
        for process, _ in self._workers:
            process.terminate()
        self._threads.shutdown(cancel_futures=True)
        for process, connection in self._workers:
            process.join(JOIN_S)
            connection.close()

    def _ask(self, what: str, *about: object) -> Any:
        connection = self._free.get()
        try:
            connection.send((what, *about))
            answer = connection.recv()
        except (EOFError, OSError) as error:
            raise Unavailable("a process of the triage has ended") from error
        finally:
            self._free.put(connection)
        if isinstance(answer, Exception):
            raise answer
        return answer


def serve(connection: Connection, model: Path) -> None:
    """Answer requests until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    with contextlib.suppress(EOFError, OSError):
        from bot.triage.sorter import Sorter

        try:
            sorter = Sorter(model)
        except FrontdeskError as error:
            connection.recv()
            connection.send(error)
            return
        while True:
            what, *about = connection.recv()
            try:
                answer: object = sorter.explain(*about) if what == "explain" else sorter.sort(*about)
            except FrontdeskError as error:
                answer = error
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                # Never the exception's text, which may hold a customer's words.
                answer = RuntimeError(f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}")
            connection.send(answer)
