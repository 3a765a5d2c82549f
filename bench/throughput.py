"""Worker processes that find a full inbox: turns a second of one and of two, and what a worker holds in memory.

Two workers share the partitions evenly. One of them, both, the other one, both work for a second each, again and again
until the inbox is nearly empty, so that a slow moment of the machine slows them all.
"""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.bars import Figure
from bench.talk import message
from bot.conversation.log import Log

CONVERSATIONS = 480
TURNS_EACH = 5
WARM = 80
FILLED_AT_ONCE = 200
SLICE_S = 1.0
LEFT = 300
"""So many messages are left when counting ends: each worker still has some."""
DEADLINE_S = 120.0
LEASE_S = "20"
"""Longer than the workers are stopped, so that each goes on with the partitions that it had."""


async def throughput(log: Log, url: str, folder: Path, models: Path) -> list[Figure]:
    """Measure one worker and two, on the Redis behind `log`."""
    with _workers(2, url, folder, models) as workers:
        await _shared(log, 2)
        await _fill(log, "warm", WARM, 1)
        await _empty(log)
        _signal(workers, signal.SIGSTOP)
        shares = await _holders(log)
        await _fill(log, "busy", CONVERSATIONS, TURNS_EACH)
        rates = await _in_turns(log, workers)
        _signal(workers, signal.SIGCONT)
        await _empty(log)
        if await _holders(log) != shares:
            raise SystemExit("the partitions changed hands while the turns were counted")
        resident = max(resident_mb(worker.pid) for worker in workers)
    turns = (WARM + CONVERSATIONS * TURNS_EACH) // 2
    return [
        Figure("turns a second of one worker", rates[1], "/s", 100, at_least=True),
        Figure("turns a second of two workers", rates[2], "/s"),
        Figure("two workers ÷ one", rates[2] / rates[1], "×", 1.7, at_least=True),
        Figure(f"resident memory of a worker after {turns:,} turns", resident, "MB", 320),
    ]


async def _in_turns(log: Log, workers: list[subprocess.Popen[bytes]]) -> dict[int, float]:
    """Return the turns a second of one worker and of two; the workers are stopped before and after."""
    done, seconds = {1: 0, 2: 0}, {1: 0.0, 2: 0.0}
    turns = itertools.cycle([workers[:1], workers, workers[1:], workers])
    while (before := await _left(log)) > LEFT:
        chosen = next(turns)
        started = time.perf_counter()
        _signal(chosen, signal.SIGCONT)
        await asyncio.sleep(SLICE_S)
        _signal(chosen, signal.SIGSTOP)
        seconds[len(chosen)] += time.perf_counter() - started
        done[len(chosen)] += before - await _left(log)
    return {number: done[number] / seconds[number] for number in (1, 2)}


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} is gone")


@contextmanager
def _workers(number: int, url: str, folder: Path, models: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = os.environ | {
        "FRONTDESK_ASSISTANT__MODELS": str(models),
        "REDIS_URL": url,
        "FRONTDESK_WORKER__LEASE_S": LEASE_S,
        "FRONTDESK_WORKER__COUNT": "2",  # each has one core, also while it is alone
    }
    command = [sys.executable, "-m", "bot.cli", "worker", "--data", str(folder / "data")]
    with (folder / "workers.log").open("a") as told:
        processes = [subprocess.Popen(command, env=environment, stdout=told, stderr=told) for _ in range(number)]
        try:
            yield processes
        finally:
            _signal(processes, signal.SIGCONT)
            _signal(processes, signal.SIGTERM)
            for process in processes:
                process.wait(60)


def _signal(processes: list[subprocess.Popen[bytes]], signum: signal.Signals) -> None:
    for process in processes:
        process.send_signal(signum)


async def _holders(log: Log) -> list[str | None]:
    holders: list[str | None] = await log.redis.mget([keys.lease("worker") for keys in log.keys])
    return holders


async def _shared(log: Log, number: int) -> None:
    """Wait until so many workers hold as many partitions each."""

    async def shared() -> bool:
        holders = await _holders(log)
        shares = Counter(holders)
        return None not in shares and len(shares) == number and max(shares.values()) <= -(-log.partitions // number)

    await _until(shared, "the workers did not take the partitions")


async def _fill(log: Log, name: str, conversations: int, turns: int) -> None:
    messages = [
        message(f"{name}-{customer}", turn * conversations + customer)
        for turn in range(turns)
        for customer in range(conversations)
    ]
    for start in range(0, len(messages), FILLED_AT_ONCE):
        await asyncio.gather(*(log.accept(one) for one in messages[start : start + FILLED_AT_ONCE]))


async def _left(log: Log) -> int:
    async with log.redis.pipeline(transaction=False) as pipe:
        for keys in log.keys:
            pipe.xlen(keys.inbox)
        return sum(await pipe.execute())


async def _empty(log: Log) -> None:
    async def empty() -> bool:
        return not await _left(log)

    await _until(empty, "the inbox did not become empty")


async def _until(condition, otherwise: str) -> None:  # type: ignore[no-untyped-def]
    deadline = time.perf_counter() + DEADLINE_S
    while not await condition():
        if time.perf_counter() > deadline:
            raise SystemExit(otherwise)
        await asyncio.sleep(0.02)
