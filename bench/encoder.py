"""Speed, size and closeness of the packaged encoder: `uv run python -m bench.encoder [--json FILE]`.

Each measurement runs in a process of its own, so that none sees what another has left in memory. Timings on a machine
that does something else besides say little: the load is printed with them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.bars import Figure, finish, parser

if TYPE_CHECKING:
    from bot.nlu.encoder import Encoder

MESSAGE = "where is my order, it was meant to come on tuesday and nobody answers me at all"
"""20 tokens with the two that mark its ends."""

TEXT = (
    "my parcel never came and the driver says it was left with a neighbour who knows nothing about it please find out "
    "where it is because i need the kettle before saturday and nobody picks up the phone at your end"
)


def messages(count: int) -> list[str]:
    """Return messages of 4 to 36 words, no two the same."""
    words = TEXT.split()
    return [f"{' '.join((words[i % 7 :] + words)[: 4 + i * 5 % 33])} {i}" for i in range(count)]


def measure_export(cache: Path) -> dict[str, float]:
    """Export from nothing."""
    from bot.nlu.checkpoint import find_checkpoint
    from bot.nlu.encoder import prepare_encoder

    start = time.perf_counter()
    prepare_encoder(find_checkpoint(), cache)
    return {"export_s": time.perf_counter() - start}


def read(encoder: "Encoder", texts: Sequence[str]) -> None:
    """Encode as a turn does: for the intents, and for the triage."""
    encoding = encoder.encode(texts)
    assert len(encoding.sentence) == len(encoding.upper)


def measure_speed(cache: Path) -> dict[str, float]:
    """One message on one thread, then batches over both cores."""
    from bot.nlu.encoder import shared_encoder

    start = time.perf_counter()
    encoder = shared_encoder(None, cache)
    found = {"load_s": time.perf_counter() - start}
    singles, batches = [], []
    for _ in range(150):
        encoder.forget()
        start = time.perf_counter()
        read(encoder, [MESSAGE])
        singles.append((time.perf_counter() - start) * 1000)
    start = time.perf_counter()
    for _ in range(1000):
        read(encoder, [MESSAGE])
    found["repeated_ms"] = time.perf_counter() - start
    for _ in range(10):
        encoder.forget()
        start = time.perf_counter()
        read(encoder, messages(64))
        batches.append(64 / (time.perf_counter() - start))
    return {**found, "single_ms": statistics.median(singles), "batch_per_s": statistics.median(batches)}


def measure_explanation(cache: Path) -> dict[str, float]:
    """Which words of a message carried its scores; the heads are small, which changes nothing of the time."""
    from bot.nlu.encoder import shared_encoder
    from bot.nlu.explanation import explain
    from bot.nlu.heads import train_heads
    from bot.nlu.triage_data import read_examples

    encoder = shared_encoder(None, cache)
    examples = read_examples(Path("nlu_data/triage"))[::20]
    heads = train_heads(encoder.encode([one.text for one in examples]), examples)
    times = []
    for _ in range(40):
        encoder.forget()
        start = time.perf_counter()
        explain(MESSAGE, encoder, heads)
        times.append((time.perf_counter() - start) * 1000)
    return {"explanation_ms": statistics.median(times)}


def measure_memory(cache: Path) -> dict[str, float]:
    """Resident memory of a process that encodes and does nothing else."""
    from bot.nlu.encoder import shared_encoder

    encoder = shared_encoder(None, cache)
    for text in messages(512):
        read(encoder, [text])
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"resident_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1024**2}


def measure_cosine(cache: Path) -> dict[str, float]:
    """How near int8 comes to fp32: the sentence vectors, and the layer that suffers most."""
    from bot.nlu.checkpoint import find_checkpoint
    from bot.nlu.encoder import Encoder, cosine, shared_encoder
    from bot.nlu.export import export

    exact_folder = cache / "exact"
    exact_folder.mkdir()
    encoder = shared_encoder(None, cache)
    for name in ("tokenizer.json", "meta.json"):
        (exact_folder / name).write_bytes((encoder.folder / name).read_bytes())
    export(find_checkpoint(), exact_folder)
    texts = messages(200)
    exact, quick = Encoder(exact_folder).encode(texts), encoder.encode(texts)
    layers = [cosine(exact.layers[:, layer], quick.layers[:, layer]) for layer in range(encoder.depth)]
    layers += [cosine(exact.upper[:, layer], quick.upper[:, layer]) for layer in range(exact.upper.shape[1])]
    return {"cosine": cosine(exact.sentence, quick.sentence), "worst_layer": min(layers)}


MEASUREMENTS = {
    "export": measure_export,
    "speed": measure_speed,
    "explanation": measure_explanation,
    "memory": measure_memory,
    "cosine": measure_cosine,
}


def run(name: str, cache: Path) -> dict[str, Any]:
    """Run one measurement in a new process."""
    command = [sys.executable, "-m", "bench.encoder", "--only", name, "--cache", str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure everything and compare."""
    arguments = parser("Speed, size and closeness of the encoder.")
    arguments.add_argument("--only", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    arguments.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.only:
        print(json.dumps(MEASUREMENTS[chosen.only](chosen.cache)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {}
        for name in MEASUREMENTS:
            found |= run(name, Path(folder))
    finish(
        f"Encoder: all-MiniLM-L6-v2, int8 (load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
        [
            Figure("message of 20 tokens, one thread, p50", found["single_ms"], "ms", 4),
            Figure("the same message again", found["repeated_ms"], "ms"),
            Figure("which words carried its scores, 2 cores", found["explanation_ms"], "ms", 30),
            Figure("batch of 64 mixed messages, 2 cores", found["batch_per_s"], "messages/s", 400, at_least=True),
            Figure("cosine to fp32, sentence vectors", found["cosine"], "", 0.99, at_least=True),
            Figure("cosine to fp32, worst layer", found["worst_layer"], "", 0.99, at_least=True),
            Figure("export, from nothing", found["export_s"], "s", 20),
            Figure("load, exported before", found["load_s"], "s"),
            Figure("resident memory", found["resident_mb"], "MB", 150),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()
