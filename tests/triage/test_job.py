"""Files in, files out, with the shipped assistant: nothing lost, nothing twice, whoever is killed."""

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import date
from pathlib import Path

import pytest

from bot.conversation.errors import BadInput
from bot.conversation.events import Priority
from bot.conversation.triage import Triage
from bot.policies.priority import PrioritisedTriage
from bot.triage.checkpoint import Progress
from bot.triage.job import Triaging
from bot.triage.output import CSV_FIELDS, FIELDS, CsvOutput, JsonlOutput
from bot.triage.rows import BadRow, Row
from tests.running import ROOT, environment, frontdesk

ANGRY = "I was charged twice for LF-123456 and nobody answers. I will see you in court!"
CALM = "How long does delivery take?"


@pytest.fixture(scope="module")
def triage(models: Path):
    """`frontdesk triage` with one process, and the shipped assistant."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        told = map(str, arguments)
        return frontdesk("triage", *told, "--processes", "1", FRONTDESK_ASSISTANT__MODELS=str(models), **options)

    return run


def messages(count: int) -> str:
    rows = (f'{number},"{ANGRY if number % 7 == 0 else CALM} {number}\nBye"' for number in range(1, count + 1))
    return "\n".join(["id,text", *rows, ""])


def test_a_csv_file_becomes_json_lines_with_every_field(tmp_path, triage):
    source, out = tmp_path / "mentions.csv", tmp_path / "out.jsonl"
    source.write_text(f"id,note,text\n7,x,{ANGRY}\n8,y,\n9,z,{CALM}\n")
    done = triage(source, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "row 2: the text is empty; skipped",
        f"2 rows triaged, 1 skipped into {out}: P1 0, P2 1, P3 0, P4 1",
    ]
    first, second = map(json.loads, out.read_text().splitlines())
    assert list(first) == [*FIELDS, "input"]
    assert set(Triage.model_fields) < set(FIELDS)
    assert first["input"] == {"id": "7", "note": "x", "text": ANGRY}
    assert (first["row"], first["priority"], second["row"], second["priority"]) == (1, "P2", 3, "P4")
    assert first["reasons"][0] == {"code": "urgent", "cause": "legal", "details": ["Urgent: legal"]}
    assert [entity["value"] for entity in first["entities"]] == ["LF-123456"]
    assert set(tmp_path.iterdir()) == {source, out}


def test_json_lines_from_standard_input_go_to_standard_output(triage):
    given = json.dumps({"id": 7, "body": CALM}) + "\n"
    done = triage("-", "--column", "body", stdin=given)
    assert (done.returncode, json.loads(done.stdout)["input"]) == (0, {"id": 7, "body": CALM})


def test_a_mailbox_becomes_csv(tmp_path, triage):
    source, out = tmp_path / "in.mbox", tmp_path / "out.csv"
    source.write_text(
        f"From a Thu\nSubject: Court\nMessage-ID: <1@x>\n\n{ANGRY}\n\nFrom b Thu\nSubject: Hi\n\n{CALM}\n"
    )
    assert triage(source, "--out", out).returncode == 0
    with out.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["message_id", "date", "from", "subject", "text", *CSV_FIELDS]
    assert (first["message_id"], first["priority"], second["priority"]) == ("<1@x>", "P2", "P4")
    assert first["reasons"].split(";")[0] == "urgent:legal"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_killed_job_goes_on_and_loses_and_repeats_nothing(tmp_path, triage, models, ending):
    source, out, whole = tmp_path / "in.csv", tmp_path / f"out.{ending}", tmp_path / f"whole.{ending}"
    source.write_text(messages(500))
    assert triage(source, "--out", whole).returncode == 0
    command = [sys.executable, "-m", "bot.cli", "triage", str(source), "--out", str(out), "--processes", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(FRONTDESK_ASSISTANT__MODELS=str(models)), stderr=subprocess.PIPE
    )
    wait_for_rows(process, out)
    process.kill()
    process.communicate()
    with out.open("a") as file:
        file.write('899,"torn in the mid')
    done = triage(source, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("going on after ")
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (source, out, whole))


def test_ctrl_c_says_how_to_go_on_and_another_file_is_refused(tmp_path, triage, models):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(messages(8000))
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "triage", str(source), "--out", str(out)],
        cwd=ROOT,
        env=environment(FRONTDESK_ASSISTANT__MODELS=str(models)),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for_rows(process, out)
    busy = triage(source, "--out", out)
    assert (busy.returncode, busy.stderr) == (1, f"frontdesk: {out} is being written by another run\n")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the processes that triage get it too
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in told.splitlines()[-1]

    other = triage(source, "--out", out, "--column", "id")
    assert other.returncode == 1
    assert "was begun with --column text, not id" in other.stderr
    source.write_text(messages(8000).replace("Bye", "Cheers"))
    changed = triage(source, "--out", out)
    assert changed.returncode == 1
    assert "are not those that were read before" in changed.stderr


def wait_for_rows(process: subprocess.Popen, out: Path) -> None:
    kept = out.with_name(out.name + ".resume")
    deadline = time.monotonic() + 120
    while not (kept.exists() and json.loads(kept.read_text())["progress"]["rows"]):
        assert process.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_terminal_shows_how_far_it_is_and_bad_rows_beside_it(tmp_path, models):
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text(messages(100) + "101,\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "triage", str(source), "--out", str(out), "--processes", "1"],
        cwd=ROOT,
        env=environment(FRONTDESK_ASSISTANT__MODELS=str(models), TERM="xterm", COLUMNS="100"),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while piece := os.read(ours, 4096):
            told += piece
    os.close(ours)
    assert process.wait(60) == 0
    for part in (b"100%", b"101 rows", b"row 101: the text is empty; skipped", b"100 rows triaged, 1 skipped"):
        assert part in told


def test_an_output_of_another_making_is_left_alone(tmp_path, triage):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(messages(1))
    out.write_text("mine")
    done = triage(source, "--out", out)
    assert (done.returncode, out.read_text()) == (1, "mine")
    assert "is there already" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.csv"], "nowhere.csv can't be read: No such file"),
        (["in.csv", "--out", "out.txt"], "the name must end in .jsonl, .ndjson, .csv"),
        (["in.csv", "--out", "in.csv"], "is the file that is read"),
        (["in.csv", "--out", "nowhere/out.csv"], "can't be written: No such file"),
        (["in.csv", "--column", "body"], "there is no column 'body'; there are: id, text"),
        (["in.jsonl", "--out", "out.csv"], "there is no column 'text'; there are: body"),
        (["in.jsonl", "--out", "out.csv", "--encoding", "rot26"], "the encoding rot26 is not known"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_leaves_nothing(tmp_path, triage, arguments, told):
    (tmp_path / "in.csv").write_text(messages(1))
    (tmp_path / "in.jsonl").write_text('{"body": "x"}\n')
    done = triage(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert told in done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {".frontdesk"} == {"in.csv", "in.jsonl"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_standard_output_that_is_full_is_told_in_one_line(tmp_path, models):
    (tmp_path / "in.csv").write_text(messages(1))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bot.cli", "triage", str(tmp_path / "in.csv"), "--processes", "1"],
            cwd=ROOT,
            env=environment(FRONTDESK_ASSISTANT__MODELS=str(models)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=180,
        )
    assert (done.returncode, done.stderr) == (
        69,
        "frontdesk: standard output can't be written: No space left on device\n",
    )


def test_a_file_without_one_good_row_is_an_error_and_leaves_nothing(tmp_path, triage):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,text\n1,\n2,\n")
    done = triage(source, "--out", out)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "frontdesk: none of the 2 rows could be triaged")
    assert list(tmp_path.iterdir()) == [source]


def test_without_a_model_it_is_told_how_to_make_one(tmp_path):
    (tmp_path / "in.csv").write_text(messages(1))
    done = frontdesk("triage", "in.csv", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr == "frontdesk: there is no trained assistant in models; make one: frontdesk train\n"


class Scripted:
    """Finds every text calm, except for one that it can't triage."""

    def submit(self, texts: Sequence[str], today: date) -> Future[list[PrioritisedTriage]]:
        future: Future[list[PrioritisedTriage]] = Future()
        if "poison" in texts:
            future.set_exception(RuntimeError("ValueError in entities.py, line 7"))
        else:
            future.set_result([PrioritisedTriage(intent=text) for text in texts])
        return future


class Kept(list):
    def write(self, text: str) -> int:
        self.append(text)
        return len(text)

    def keep(self, progress: Progress) -> None:
        self.progress = progress


def triaging(rows: list[Row | BadRow], target: Kept, told: list[BadRow], output=None) -> Triaging:
    return Triaging(rows, Scripted(), output or JsonlOutput(), target, date(2026, 11, 26), told.append, lambda _: None)


def test_a_text_that_can_not_be_triaged_is_a_bad_row_and_costs_no_other():
    rows = [Row(number, text, {}) for number, text in enumerate(["one", "poison", "three"], start=1)]
    target, told = Kept(), []
    done = triaging(rows, target, told).run(Progress())
    assert [json.loads(line)["intent"] for line in target if line] == ["one", "three"]
    assert told == [BadRow(2, "it can't be triaged (ValueError in entities.py, line 7)")]
    assert (done.rows, done.bad, done.priorities[Priority.P4]) == (3, 1, 2)


def test_own_columns_that_are_called_like_a_field_are_told_apart_in_csv():
    target = Kept()
    triaging([Row(1, "x", {"priority": "high", "text": "x"})], target, [], CsvOutput(("priority", "text"))).run(
        Progress()
    )
    (row,) = csv.DictReader("".join(target).splitlines())
    assert (row["input.priority"], row["priority"]) == ("high", "P4")


def test_rows_that_are_not_those_of_before_are_refused():
    first, target = [Row(1, "one", {}), Row(2, "two", {})], Kept()
    done = triaging(first, target, []).run(Progress())
    more = [*first, Row(3, "three", {})]
    assert triaging(more, target, []).run(done).rows == 3
    with pytest.raises(BadInput, match="are not those that were read before"):
        triaging([Row(1, "other", {}), *more], target, []).run(done)
    with pytest.raises(BadInput, match="are not those that were read before"):  # or the header and its rows differ
        triaging([Row(1, "one", {"note": ""}), *more[1:]], target, []).run(done)
