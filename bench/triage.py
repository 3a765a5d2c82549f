"""Speed and memory of `frontdesk triage`: `uv run python -m bench.triage [--rows N] [--json FILE]`.

The input is generated: sentences of our own, each row with an order number that no other has, so that nothing is
answered from memory. For memory the texts repeat, which changes nothing but the time. Other work on the machine slows
it down; processor time suffers less from that, so what two free cores could do is printed beside what was seen.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.bars import Figure, finish, parser
from bot.configuration import load
from bot.learning.registry import Registry
from bot.nlu.triage_data import read_examples

CORES = 2
REPEATED = 400
"""Fewer than the encoder remembers."""
SAMPLE_S = 0.1


def write_input(file: Path, rows: int, repeated: int | None = None) -> None:
    """Write a CSV file of messages, with a column of their own."""
    sentences = [example.text for example in read_examples(Path("nlu_data/triage"))]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "text"))
        for number in range(rows):
            kind = number % (repeated or rows)
            writer.writerow((number, f"{sentences[kind * 7 % len(sentences)]} LF-{100_000 + kind}"))


def run(source: Path, out: Path) -> dict[str, float]:
    """Run the command as a user would; return its seconds, processor seconds and peak memory in MB, all processes."""
    before = os.times()
    started = time.perf_counter()
    command = [sys.executable, "-m", "bot.cli", "triage", str(source), "--out", str(out), "--processes", str(CORES)]
    peaks: dict[int, float] = {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peaks |= peaks_below(process.pid)
            time.sleep(SAMPLE_S)
        told = process.communicate()[1]
    if process.returncode:
        raise SystemExit(told)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": time.perf_counter() - started, "cpu_s": cpu_s, "peak_mb": sum(peaks.values())}


def peaks_below(pid: int) -> dict[int, float]:
    """Return the peak resident memory of a process and of its children, in MB."""
    found = {}
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    found[each] = int(line.split()[1]) / 1024
    except OSError:
        return {}  # it has just ended
    return found


def main() -> None:
    """Run the bench."""
    arguments = parser("speed and memory of `frontdesk triage`")
    arguments.add_argument("--rows", type=int, default=10_000, help="messages for the speed (default 10,000)")
    chosen = arguments.parse_args()
    Registry(load().settings.assistant.models).require_live()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        results = {}
        for name, rows, repeated in (
            ("one", 1, None),
            ("speed", chosen.rows, None),
            ("10k", 10_000, REPEATED),
            ("100k", 100_000, REPEATED),
        ):
            source, out = folder / f"{name}.csv", folder / f"{name}.jsonl"
            write_input(source, rows, repeated)
            results[name] = run(source, out)
            written = sum(1 for _ in out.open(encoding="utf-8"))
            if written != rows:
                raise SystemExit(f"{name}: {written} rows of {rows} were written")
            out.unlink()
    speed, start = results["speed"], results["one"]
    growth = results["100k"]["peak_mb"] / results["10k"]["peak_mb"]
    cpu_ms = (speed["cpu_s"] - start["cpu_s"]) / chosen.rows * 1000
    finish(
        f"Triage of files, {CORES} processes (load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
        [
            Figure(f"{chosen.rows:,} messages, start included", chosen.rows / speed["wall_s"], "messages/s", 200, True),
            Figure("processor time of a message, all processes", cpu_ms, "ms"),
            Figure(f"that is, on {CORES} free cores", CORES * 1000 / cpu_ms, "messages/s"),
            Figure("one message, start included", start["wall_s"], "s"),
            Figure("peak memory, 10,000 rows", results["10k"]["peak_mb"], "MB"),
            Figure("peak memory, 100,000 rows", results["100k"]["peak_mb"], "MB"),
            Figure("peak memory, 100,000 rows ÷ 10,000 rows", growth, "×", 1.1),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()
