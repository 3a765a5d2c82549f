"""What a turn costs, however long the conversation is: `uv run python -m bench.turns`.

In one run, on one machine: Frontdesk's turn (snapshot, Rasa, atomic append, AOF with fsync on each write) beside the
same trained model served by Rasa's processor with Rasa's own Redis tracker store (`turns`). Then `frontdesk train` into
a fresh folder (`training`), a whole installation with its first answer and REST turns (`installation`), and worker
processes that find a full inbox (`throughput`). `--only PART` runs one of them.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.bars import Figure, finish, parser
from bench.installation import whole
from bench.talk import QUESTIONS, message, text
from bench.throughput import throughput
from bot.assistant import Assistant
from bot.conversation.connect import connect, open_log
from bot.conversation.events import utc_now
from bot.conversation.log import Log
from bot.conversation.messages import InboxEntry
from bot.embedded.redis import RedisServer
from bot.embedded.server import socket_folder
from bot.learning.registry import How, Registry
from bot.nlu.checkpoint import find_checkpoint
from bot.nlu.encoder import CACHE, Encoder, prepare_encoder
from bot.rasa_runtime import load_processor, train
from bot.settings import Settings
from bot.tracker_store import LogTrackerStore
from bot.worker import Worker

ROOT = Path(__file__).parent.parent
MARKS = (1, 100, 300, 1000)
SAMPLES = 40
STOCK_SAMPLES = 5
PARTS = ("training", "turns", "installation", "throughput")


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
        inbound = message(customer, number)
        await self.log.accept(inbound)
        keys = self.log.keys_of(inbound.conversation)
        ((place, _),) = await self.log.redis.xrange(keys.inbox)
        started = time.perf_counter()
        await self.worker.handle(InboxEntry(entry=place, inbound=inbound), new=True)
        return time.perf_counter() - started

    async def ours(self) -> dict[int, list[float]]:
        """Return the seconds of turns up to each mark, which take turns with each other: a slow moment slows all."""
        times: dict[int, list[float]] = {mark: [] for mark in MARKS}
        for mark in MARKS:
            for number in range(mark - SAMPLES):
                await self.turn(f"to-{mark}", number)
        for sample in range(SAMPLES):
            for place, mark in enumerate(MARKS):
                customer = f"first-{sample}" if mark == 1 else f"to-{mark}"
                times[mark].append(await self.turn(customer, max(MARKS) + sample + place * SAMPLES))
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
            said = UserMessage(text(number), CollectingOutputChannel(), customer, input_channel="rest")
            started = time.perf_counter()
            await processor.handle_message(said)
            return time.perf_counter() - started

        await turn("warm", 0)
        times = {1: [await turn(f"first-{number}", number) for number in range(SAMPLES)]}
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
        period = list(tracker.events)[starts[-1 - len(QUESTIONS)] : starts[-1]]
        for _ in range((turns - len(starts)) // len(QUESTIONS)):
            tracker.events.extend(period)
        # Saving would merge by time with what is there and drop the repeated events.
        store.red.set(store.key_prefix + "long", store.serialise_tracker(tracker))  # type: ignore[attr-defined]


async def in_process(folder: Path, model: Path, settings: Settings) -> list[Figure]:
    """Measure turns in this process, ours and stock, as a worker of these settings takes them."""
    Encoder.both_at_once = settings.worker.leaves_a_core
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
            Figure(f"turn {mark:,}, p50", p50(ours[mark]), "ms", 8),
            Figure(f"turn {mark:,}, p95", p95(ours[mark]), "ms"),
            Figure(f"turn {mark:,}, p50, stock Rasa with its Redis store", p50(stock[mark]), "ms"),
            Figure(f"turn {mark:,}, p95, stock Rasa with its Redis store", p95(stock[mark]), "ms"),
        ]
    figures.append(Figure("turn 1,000 ÷ turn 1, p50", p50(ours[1000]) / p50(ours[1]), "×", 1.3))
    figures.append(Figure("turn 1,000 ÷ turn 1, p50, stock Rasa", p50(stock[1000]) / p50(stock[1]), "×"))
    return figures


def training(folder: Path) -> list[Figure]:
    """Measure `frontdesk train` with a copy of the shipped files: from nothing, and with one more example of an intent.

    The export of the encoder, once for each checkpoint, is measured apart.
    """
    copy = folder / "copy"
    copy.mkdir()
    for name in ("config.yml", "domain.yml", "endpoints.yml"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "nlu_data", copy / "nlu_data")

    def train_s() -> float:
        started = time.perf_counter()
        command = [sys.executable, "-m", "bot.cli", "train"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, cwd=copy, env=environment, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    started = time.perf_counter()
    prepare_encoder(find_checkpoint(None), copy / CACHE)
    export_s = time.perf_counter() - started
    first_s = train_s()
    file = copy / "nlu_data" / "conversation.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("    - hi\n", "    - hi\n    - greetings\n", 1))
    return [
        Figure("training the shipped assistant", first_s, "s", 30),
        Figure("training it again with one more example of an intent", train_s(), "s"),
        Figure("export of the encoder, before the first training", export_s, "s"),
    ]


async def under_load(folder: Path, models: Path) -> list[Figure]:
    """Measure worker processes on an embedded Redis as an installation has it."""
    with RedisServer(folder / "load", socket_folder(folder), folder / "load.log") as server:
        redis = connect(server.url, 5.0)
        try:
            return await throughput(await open_log(redis, 16), server.url, folder, models)
        finally:
            await redis.aclose()


def main() -> None:
    """Run the bench."""
    line = parser("what a turn costs")
    line.add_argument("--only", choices=PARTS, metavar="PART", help=f"run one part: {', '.join(PARTS)}")
    arguments = line.parse_args()
    parts = [arguments.only] if arguments.only else list(PARTS)
    settings = Settings()
    assistant = settings.assistant
    model = train(assistant.models, assistant.config, assistant.domain, assistant.data)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    models = folder / "models"
    models.mkdir()
    (models / model.name).symlink_to(model.absolute())
    Registry(models).make_live(models / model.name, How.TRAINED, utc_now())
    figures: list[Figure] = []
    try:
        if "training" in parts:
            figures += training(folder)
        if "turns" in parts:
            figures += asyncio.run(in_process(folder, model, settings))
        if "installation" in parts:
            figures += whole(folder, models)
        if "throughput" in parts:
            figures += asyncio.run(under_load(folder, models))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    finish("Turns", figures, arguments.json)


if __name__ == "__main__":
    main()
