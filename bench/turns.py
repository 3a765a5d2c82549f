"""What a turn costs, however long the conversation is: `uv run python -m bench.turns`.

In one run, on one machine: Frontdesk's turn (snapshot, Rasa, atomic append, AOF with fsync on each write) beside the
same trained model served by Rasa's processor with Rasa's own Redis tracker store. Then a whole installation: time from
the command to the first answer, a REST turn, resident memory.
"""

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.bars import Figure, finish, parser
from bot.assistant import Assistant
from bot.conversation.connect import connect, open_log
from bot.conversation.events import utc_now
from bot.conversation.ids import MessageId, new_id
from bot.conversation.log import Log
from bot.conversation.messages import Inbound, InboxEntry
from bot.embedded.redis import RedisServer
from bot.embedded.server import socket_folder
from bot.learning.registry import How, Registry
from bot.rasa_runtime import load_processor, train
from bot.settings import Settings
from bot.tracker_store import LogTrackerStore
from bot.worker import Worker

MARKS = (1, 100, 300, 1000)
SAMPLES = 40
STOCK_SAMPLES = 5
TALK = (
    "how long does delivery take",
    "can i return a jumper without the receipt",
    "thanks",
    "which cards do you take",
    "when do i get my refund",
    "how do i reset my password",
    "do you deliver to ireland",
    "what are your opening hours",
    "how do i use my gift card",
    "can i change my delivery address",
)


def p50(values: list[float]) -> float:
    """Return the median, in milliseconds."""
    return statistics.median(values) * 1000


def p95(values: list[float]) -> float:
    """Return the 95th percentile, in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))] * 1000


class Bench:
    """The two ways to serve one model, on one Redis."""

    def __init__(self, log: Log, model: Path, settings: Settings) -> None:
        self.log = log
        self.model = model
        processor = load_processor(model, LogTrackerStore())
        self.worker = Worker(log, Assistant(processor, model.stem), settings)

    async def turn(self, customer: str, number: int) -> float:
        """Run one turn of Frontdesk; return its seconds, from taking the message to the end of the append."""
        inbound = Inbound(
            channel="rest",
            customer=customer,
            channel_message=f"{number}",
            text=TALK[number % len(TALK)],
            received_at=utc_now(),
            message=MessageId(new_id("m")),
        )
        await self.log.accept(inbound)
        keys = self.log.keys_of(inbound.conversation)
        ((place, _),) = await self.log.redis.xrange(keys.inbox)
        started = time.perf_counter()
        await self.worker.handle(InboxEntry(entry=place, inbound=inbound))
        return time.perf_counter() - started

    async def ours(self) -> dict[int, list[float]]:
        """Return the seconds of turns around each mark."""
        for number in range(10):
            await self.turn("warm", number)
        times = {1: [await self.turn(f"first-{number}", 0) for number in range(SAMPLES)]}
        for number in range(max(MARKS)):
            seconds = await self.turn("long", number)
            for mark in MARKS[1:]:
                if mark - SAMPLES < number + 1 <= mark:
                    times.setdefault(mark, []).append(seconds)
        return times

    async def stock(self, socket: Path) -> dict[int, list[float]]:
        """Return the seconds of turns at each mark with Rasa's processor and Rasa's Redis store."""
        import redis
        from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
        from rasa.core.tracker_store import RedisTrackerStore

        store = RedisTrackerStore(domain=None)
        store.red = redis.Redis(unix_socket_path=str(socket), db=1)
        processor = load_processor(self.model, store)

        async def turn(customer: str, number: int) -> float:
            text = TALK[number % len(TALK)]
            message = UserMessage(text, CollectingOutputChannel(), customer, input_channel="rest")
            started = time.perf_counter()
            await processor.handle_message(message)
            return time.perf_counter() - started

        await turn("warm", 0)
        times = {1: [await turn(f"first-{number}", 0) for number in range(SAMPLES)]}
        done = 0
        for mark in MARKS[1:]:
            while done < min(mark, 100) - STOCK_SAMPLES:
                await turn("long", done)
                done += 1
            if mark > 100:
                await self._lengthen(processor, store, mark)
            times[mark] = [await turn("long", number) for number in range(STOCK_SAMPLES)]
        return times

    async def _lengthen(self, processor: object, store: object, turns: int) -> None:
        """Write a history of so many turns into Rasa's store, by repeating the 100 turns that were really taken."""
        tracker = await store.retrieve("long")  # type: ignore[attr-defined]
        starts = [
            place for place, event in enumerate(tracker.events) if getattr(event, "action_name", "") == "action_listen"
        ]
        period = list(tracker.events)[starts[-1 - len(TALK)] : starts[-1]]
        for _ in range((turns - len(starts)) // len(TALK)):
            tracker.events.extend(period)
        # Saving would merge by time with what is there and drop the repeated events.
        store.red.set(store.key_prefix + "long", store.serialise_tracker(tracker))  # type: ignore[attr-defined]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} is gone")


def children(pid: int) -> dict[str, int]:
    """Return the processes below `pid`, by their Frontdesk command."""
    found: dict[str, int] = {}
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    for process in parents:
        above: int | None = process
        while above and above != pid:
            above = parents.get(above)
        if above == pid:
            words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
            for name in ("worker", "sender", "web"):
                if name in words:
                    found.setdefault(name, process)
    return found


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
    """Measure an installation: start to first answer, REST turns, memory."""
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

            def ask(customer: str) -> float:
                started = time.perf_counter()
                answer = client.post("/api/v1/messages?wait_s=10", json={"customer": customer, "text": TALK[0]})
                answer.raise_for_status()
                assert answer.json()["replies"], answer.text
                return time.perf_counter() - started

            ask("first")
            start_s = time.perf_counter() - again.started
            for number in range(10):
                ask(f"warm{number}")
            times = [ask(f"c{number}") for number in range(60)]
        memory = resident_mb(children(again.process.pid)["worker"])
    finally:
        again.stop()
    return [
        Figure("start of a trained assistant to first answer", start_s, "s", 12),
        Figure("REST turn 1, p50", p50(times), "ms", 15),
        Figure("REST turn 1, p95", p95(times), "ms"),
        Figure("worker resident memory", memory, "MB", 350),
    ]


async def in_process(folder: Path, model: Path, settings: Settings) -> list[Figure]:
    """Measure turns in this process, ours and stock."""
    sockets = socket_folder(folder)
    with RedisServer(folder / "redis", sockets, folder / "redis.log") as server:
        redis = connect(server.url, 5.0)
        bench = Bench(await open_log(redis, 16), model, settings)
        ours = await bench.ours()
        stock = await bench.stock(server.socket)
        await redis.aclose()
    figures = []
    for mark in MARKS:
        figures += [
            Figure(f"turn {mark:,}, p50", p50(ours[mark]), "ms"),
            Figure(f"turn {mark:,}, p95", p95(ours[mark]), "ms"),
            Figure(f"turn {mark:,}, p50, stock Rasa with its Redis store", p50(stock[mark]), "ms"),
            Figure(f"turn {mark:,}, p95, stock Rasa with its Redis store", p95(stock[mark]), "ms"),
        ]
    figures.append(Figure("turn 1,000 ÷ turn 1, p50", p50(ours[1000]) / p50(ours[1]), "×", 1.3))
    figures.append(Figure("turn 1,000 ÷ turn 1, p50, stock Rasa", p50(stock[1000]) / p50(stock[1]), "×"))
    return figures


def main() -> None:
    """Run the bench."""
    arguments = parser("what a turn costs").parse_args()
    settings = Settings()
    assistant = settings.assistant
    model = train(assistant.models, assistant.config, assistant.domain, assistant.data)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    models = folder / "models"
    models.mkdir()
    (models / model.name).symlink_to(model.absolute())
    Registry(models).make_live(models / model.name, How.TRAINED, utc_now())
    try:
        figures = asyncio.run(in_process(folder, model, settings))
        figures += whole(folder, models)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    finish("Turns", figures, arguments.json)


if __name__ == "__main__":
    main()
