import os
import signal
import sys
import time

import pytest

from bot.cli.supervisor import Child, State, Supervisor, pause_s
from bot.conversation.errors import ConfigError

READY = "import os, sys; os.write(int(sys.argv[1]), b'status half way\\nready\\n'); "
SLEEP = "import time; time.sleep(600)"


class Told:
    def __init__(self):
        self.events = []

    def ready(self, child):
        self.events.append(("ready", child.name))

    def said(self, child, kind, text):
        self.events.append((kind, text))

    def ended(self, child, code, reason, pause):
        self.events.append(("ended", code, reason, pause))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def supervisor(told):
    supervisor = Supervisor(told)
    yield supervisor
    supervisor.stop(hurry=lambda: True)
    supervisor.close()


@pytest.fixture
def child(tmp_path):
    def make(code, **more):
        name = more.pop("name", "child")
        return Child(name, lambda fd: [sys.executable, "-c", code, str(fd)], tmp_path / f"{name}.log", **more)

    return make


def step_until(supervisor, condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        supervisor.step()


def test_a_child_says_what_it_does_and_that_it_is_ready(supervisor, told, child):
    one = supervisor.add(child(READY + SLEEP))
    step_until(supervisor, lambda: one.state is State.READY)
    assert told.events == [("status", "half way"), ("ready", "child")]


def test_a_child_that_dies_is_started_again_and_the_reason_is_told(supervisor, told, child):
    one = supervisor.add(child(READY + "print('the reason', flush=True); sys.exit(3)"))
    step_until(supervisor, lambda: len([event for event in told.events if event[0] == "ended"]) == 2)
    ended = [event for event in told.events if event[0] == "ended"]
    assert ended == [
        ("ended", 3, "exit code 3; its log ends: the reason", 0.5),
        ("ended", 3, "exit code 3; its log ends: the reason", 1.0),
    ]
    assert one.state is State.PAUSED


def test_a_killed_child_is_told_by_its_signal(supervisor, told, child):
    one = supervisor.add(child(READY + SLEEP))
    step_until(supervisor, lambda: one.state is State.READY)
    os.kill(one.process.pid, signal.SIGKILL)
    step_until(supervisor, lambda: ("ended", -9, "SIGKILL; its log ends: its log is empty", 0.5) in told.events)
    step_until(supervisor, lambda: one.state is State.READY)


def test_a_death_is_noticed_at_once(supervisor, told, child):
    one = supervisor.add(child(READY + "time = __import__('time'); time.sleep(0.2)"))
    step_until(supervisor, lambda: one.state is State.READY)
    began = time.monotonic()
    supervisor.step()
    while one.state is State.READY:
        supervisor.step()
    assert time.monotonic() - began < 0.9  # a step without news takes a second


def test_pauses_double_up_to_half_a_minute():
    assert [pause_s(failures) for failures in (0, 1, 2, 3, 6, 7, 8, 1000)] == [0.5, 0.5, 1, 2, 16, 30, 30, 30]


def test_a_child_that_was_steady_starts_with_a_short_pause_again(supervisor, told, child, monkeypatch):
    monkeypatch.setattr("bot.cli.supervisor.STEADY_S", 0.0)
    one = supervisor.add(child(READY + "sys.exit(1)"))
    step_until(supervisor, lambda: len([event for event in told.events if event[0] == "ended"]) == 2)
    assert one.failures == 1


def test_work_that_is_done_once_is_not_started_again(supervisor, told, child):
    one = supervisor.add(child("print('done')", once=True))
    step_until(supervisor, lambda: one.state is State.DONE)
    supervisor.step()
    assert told.events == [("ready", "child")]


def test_a_start_that_is_refused_later_is_a_failure_and_not_the_end(supervisor, told, child):
    refusals = iter([None, ConfigError("the disk is gone"), None])

    def prepare():
        if error := next(refusals):
            raise error

    one = supervisor.add(child(READY + SLEEP, prepare=prepare))
    step_until(supervisor, lambda: one.state is State.READY)
    os.kill(one.process.pid, signal.SIGKILL)
    step_until(supervisor, lambda: ("ended", 1, "the disk is gone", 1.0) in told.events)
    step_until(supervisor, lambda: one.state is State.READY)


def test_children_stop_stage_by_stage(supervisor, told, child, tmp_path):
    code = READY + (
        "import signal, time\n"
        "def end(*_):\n"
        f"    open({str(tmp_path / 'order')!r}, 'a').write(sys.argv[2] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "os.write(int(sys.argv[1]), b'status armed\\n')\n"
        "time.sleep(600)\n"
    )
    for name, stage in (("last", 2), ("first", 0), ("second", 1)):
        made = child(code, name=name, stage=stage)
        made.command = lambda fd, name=name: [sys.executable, "-c", code, str(fd), name]
        supervisor.add(made)
    step_until(supervisor, lambda: told.events.count(("status", "armed")) == 3)
    supervisor.stop(hurry=lambda: False)
    assert (tmp_path / "order").read_text().split() == ["first", "second", "last"]


def test_a_child_that_does_not_stop_is_killed(supervisor, told, child):
    one = supervisor.add(child("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); import os, sys, time; "
                               "os.write(int(sys.argv[1]), b'ready\\n'); time.sleep(600)"))  # fmt: skip
    step_until(supervisor, lambda: one.state is State.READY)
    process = one.process
    supervisor.stop(hurry=lambda: False, timeout_s=0.1)
    assert process.returncode == -signal.SIGKILL


def test_what_a_child_left_behind_ends_with_it(supervisor, told, child):
    code = READY + (
        "import subprocess; p = subprocess.Popen(['/bin/sleep', '600']); print(p.pid, flush=True); sys.exit(1)"
    )
    one = supervisor.add(child(code))
    step_until(supervisor, lambda: one.state is State.PAUSED)
    left = int(one.log.read_text().split()[0])
    step_until(supervisor, lambda: not os.path.exists(f"/proc/{left}") or _is_zombie(left))


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
