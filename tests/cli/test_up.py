import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request

import pytest

from bot.conversation.events import utc_now
from bot.learning.registry import How, Registry
from tests.fakes.telegram_server import TOKEN, TelegramServer
from tests.running import ROOT, Installation, environment, frontdesk, processes_of


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def ask(installation: Installation, customer: str, text: str) -> dict:
    request = urllib.request.Request(
        f"{installation.url}/api/v1/messages?wait_s=20",
        json.dumps({"customer": customer, "text": text}).encode(),
        {"Authorization": f"Bearer {installation.token()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def assert_one_line(done, *parts: str) -> None:
    assert done.returncode not in (0, 1), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("frontdesk: ")
    for part in parts:
        assert part in done.stderr


def test_it_ends_its_start_with_its_address(installation):
    assert installation.out[-1] == f"frontdesk is ready: {installation.url}"
    assert get(installation.url + "/healthz") == b'{"status":"ok"}'


def test_the_first_start_prints_the_password_of_the_administrator_once(installation):
    assert len([line for line in installation.out if installation.admin_password in line]) == 1
    for log in (installation.data / "logs").iterdir():
        assert installation.admin_password not in log.read_text(errors="replace")


def test_it_says_which_model_is_live(installation):
    (line,) = [line for line in installation.out if line.startswith("  model ")]
    model = line.split()[1].rstrip(",")
    assert "live since" in line
    assert f"ok    the model {model} is live" in installation.run("doctor").stdout


def test_a_message_is_answered(installation):
    replies = ask(installation, "up-1", "How long does delivery take?")["replies"]
    assert replies
    assert replies[0]["author"] == "bot"


@pytest.mark.parametrize("child", ["worker", "sender", "web", "redis", "postgres"])
def test_a_child_that_is_killed_is_started_again(installation, child):
    before = installation.pid_of(child)
    heard = len(installation.err)
    os.kill(before, signal.SIGKILL)
    installation.wait_for(lambda: f"{child} is ready again" in "\n".join(installation.err[heard:]), 60)
    told = "\n".join(installation.err[heard:])
    assert f"{child} ended (SIGKILL; its log ends: " in told
    assert installation.pid_of(child) != before
    installation.wait_for(lambda: _healthy(installation))
    assert ask(installation, f"up-{child}", "Where is my order?")["replies"]


def _healthy(installation) -> bool:
    try:
        return get(installation.url + "/healthz") == b'{"status":"ok"}'
    except OSError:
        return False


def test_the_data_folder_is_for_its_owner_only(installation):
    assert stat.S_IMODE(installation.data.stat().st_mode) == 0o700
    for name in ("run/frontdesk.json", "lock", "logs/web.log", "run/redis.sock", "redis/redis.conf"):
        assert stat.S_IMODE((installation.data / name).stat().st_mode) == 0o600, name


def test_a_second_run_in_the_same_folder_is_refused(installation):
    done = frontdesk("up", "--data", str(installation.data), "--port", "0", **installation.variables)
    assert_one_line(done, "in use by another run", f"process {installation.process.pid}")


def test_a_port_in_use_is_told(installation, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = frontdesk("up", "--data", str(tmp_path / "d"), "--port", str(port), **installation.variables)
    assert_one_line(done, f"port {port} is in use", "--port")


def test_a_wrong_setting_is_told(tmp_path):
    done = frontdesk("up", "--data", str(tmp_path), FRONTDESK_WEB__PORT="99999")
    assert_one_line(done, "web.port", "FRONTDESK_WEB__PORT", "65535")


def test_an_unknown_key_in_the_file_is_told(tmp_path):
    (tmp_path / "frontdesk.toml").write_text("[web]\nprot = 8080\n")
    done = frontdesk("up", "--data", str(tmp_path))
    assert_one_line(done, "frontdesk.toml", '"web.prot"', 'did you mean "web.port"')


def test_a_folder_without_an_assistant_is_told(tmp_path):
    assert_one_line(frontdesk("up", cwd=tmp_path), "assistant.config", "config.yml", str(tmp_path))


def test_a_redis_that_does_not_answer_is_told(tmp_path):
    done = frontdesk("up", "--data", str(tmp_path), "--port", "0", REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert_one_line(done, "Redis at 127.0.0.1:1 does not answer")
    assert "secret" not in done.stderr


def test_a_corrupt_model_is_told(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "broken.tar.gz").write_bytes(b"this is no model")
    Registry(folder).make_live(folder / "broken.tar.gz", How.TRAINED, utc_now())
    data = tmp_path / "data"
    done = frontdesk("up", "--data", str(data), "--port", "0", FRONTDESK_ASSISTANT__MODELS=str(folder))
    assert_one_line(done, "broken.tar.gz is not a model", "frontdesk train")
    assert processes_of(data) == {}


def test_training_data_that_rasa_refuses_is_told(tmp_path):
    (tmp_path / "config.yml").write_text("recipe: default.v1\nlanguage: en\npipeline: 7\n")
    (tmp_path / "domain.yml").write_text('version: "3.1"\n')
    (tmp_path / "nlu_data").mkdir()
    (tmp_path / "nlu_data" / "nlu.yml").write_text('version: "3.1"\n')
    done = frontdesk("up", "--port", "0", cwd=tmp_path)
    assert_one_line(done, "training failed")
    assert processes_of(tmp_path) == {}


def test_a_run_that_is_killed_or_stopped_leaves_no_process_and_the_next_goes_on(installation, tmp_path):
    again = Installation(tmp_path / "data", **installation.variables)
    with again:
        conversation = ask(again, "ann", "hello there")["conversation"]
        again.process.kill()
        again.process.wait()
        deadline = time.monotonic() + 60
        while processes_of(again.data):
            assert time.monotonic() < deadline, processes_of(again.data)
            time.sleep(0.05)
        again.stop()
        again.start()
        assert not [line for line in again.out if "password" in line]
        ask(again, "ann", "and again")
        told = again.run("transcript", conversation).stdout
        assert told.index("hello there") < told.index("and again")
        assert again.stop(signal.SIGINT) == 0
        assert processes_of(again.data) == {}
        assert again.err == []
        assert again.out[-1] == "stopping"
        assert_one_line(again.run("user", "list"), "not running", str(again.data))


@pytest.fixture
def telegram():
    with TelegramServer(TOKEN) as server:
        yield server


def test_services_and_channels_of_ones_own_are_used(models, redis_url, database_url, telegram, tmp_path):
    variables = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "FRONTDESK_ASSISTANT__MODELS": str(models),
        "FRONTDESK_TELEGRAM__TOKEN": TOKEN,
        "FRONTDESK_TELEGRAM__BASE_URL": telegram.base_url,
        "FRONTDESK_TELEGRAM__BASE_FILE_URL": telegram.base_file_url,
    }
    with Installation(tmp_path / "data", **variables) as own:
        assert ask(own, "ann", "hello there")["replies"]
        telegram.say(1001, "hello there")
        own.wait_for(lambda: telegram.texts(1001))
        for log in (own.data / "logs").iterdir():
            assert TOKEN not in log.read_text()
        assert sorted(path.name for path in (own.data / "logs").iterdir()) == ["sender.log", "web.log", "worker.log"]
        assert not (own.data / "postgres").exists()
        assert not (own.data / "redis").exists()


def test_more_processes_may_be_started_by_hand(installation):
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "bot.cli", name, "--data", str(installation.data), *more],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(**installation.variables),
        )
        for name, more in (("worker", []), ("sender", []), ("web", ["--port", "0"]))
    }
    try:
        for process in started.values():
            for line in process.stderr:
                if line.endswith(" ready\n"):
                    break
            process.send_signal(signal.SIGTERM)
    finally:
        codes = {name: process.wait(60) for name, process in started.items()}
        for process in started.values():
            process.stderr.close()
    assert codes == {"worker": 0, "sender": 0, "web": 0}
    assert ask(installation, "up-hand", "hello there")["replies"]
