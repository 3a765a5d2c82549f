"""A whole `frontdesk up`: time from the command to the first answer, REST turns."""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

from bench.bars import Figure
from bench.talk import text

TURNS = 60


class Installation:
    """A whole `frontdesk up` in a folder of its own."""

    def __init__(self, folder: Path, models: Path, log: Path) -> None:
        self.log = log
        self.folder = folder
        environment = os.environ | {"FRONTDESK_ASSISTANT__MODELS": str(models)}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "up", "--data", str(folder), "--port", "0"],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            env=environment,
        )

    def url(self) -> str:
        """Wait until it is ready and return its address."""
        while self.process.poll() is None:
            for line in self.log.read_text(errors="replace").splitlines():
                if "frontdesk is ready: " in line:
                    return line.split("frontdesk is ready: ")[1].strip()
            time.sleep(0.02)
        raise SystemExit(f"frontdesk up ended:\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def whole(folder: Path, models: Path) -> list[Figure]:
    """Measure an installation that was started once before: start to first answer, REST turns."""
    data = folder / "data"
    first = Installation(data, models, folder / "first.log")
    first.url()
    token = subprocess.run(
        [sys.executable, "-m", "bot.cli", "token", "create", "--role", "admin", "--data", str(data)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[-1]
    first.stop()
    again = Installation(data, models, folder / "again.log")
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=again.url(), headers=headers, timeout=30) as client:

            def ask(customer: str, number: int) -> float:
                started = time.perf_counter()
                answer = client.post("/api/v1/messages?wait_s=10", json={"customer": customer, "text": text(number)})
                answer.raise_for_status()
                assert answer.json()["replies"], answer.text
                return time.perf_counter() - started

            ask("first", 0)
            start_s = time.perf_counter() - again.started
            for number in range(10):
                ask(f"warm{number}", number)
            times = [ask(f"c{number}", number) * 1000 for number in range(10, 10 + TURNS)]
    finally:
        again.stop()
    return [
        Figure("start of a trained assistant to first answer", start_s, "s", 10),
        Figure("REST turn 1, p50", statistics.median(times), "ms", 12),
        Figure("REST turn 1, p95", statistics.quantiles(times, n=20)[-1], "ms"),
    ]
