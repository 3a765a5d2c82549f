import importlib.util
import re
import subprocess
import sys
import tarfile
import tomllib

import pytest

from bot.cli.figures import Group, Written
from bot.cli.options import AccountRole, InputKind
from bot.learning.registry import Registry
from bot.triage.rows import Kind
from handoff.metrics import By
from handoff.tables import Role
from handoff.transcripts import Format
from tests.running import ROOT, frontdesk, frontdesk_here


def test_help_names_every_command_and_is_there_at_once():
    code = "import sys, bot.cli.app; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for heavy in ("rasa", "pydantic", "sqlalchemy", "fastapi", "nicegui", "numpy", "redis"):
        assert f"'{heavy}'" not in loaded, heavy
    told = frontdesk_here("--help").stdout
    names = "up worker sender web train triage models evaluate promote rollback rasa config user token outbox metrics"
    for command in names.split():
        assert re.search(rf"^  {command} ", told, re.MULTILINE), command


def test_the_supervisor_imports_nothing_heavy():
    code = "import sys, bot.cli.up; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for heavy in ("rasa", "sqlalchemy", "fastapi", "nicegui", "numpy", "uvicorn", "redis"):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.parametrize(("choices", "meant"), [(AccountRole, Role), (InputKind, Kind), (Group, By), (Written, Format)])
def test_what_the_command_line_accepts_is_what_is_known_behind_it(choices, meant):
    assert [choice.value for choice in choices] == [one.value for one in meant]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--bogus"], "No such option: --bogus"),
        (["nothing"], "No such command 'nothing'"),
        (["up", "--port", "x"], "--port"),
        (["user", "add", "ann"], "--role"),
        (["user", "add", "ann", "--role", "king"], "'--role': 'king' is not one of 'agent'"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(arguments, told):
    done = frontdesk_here(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["user", "list"],
        ["token", "create", "--role", "agent"],
        ["outbox", "list"],
        ["metrics"],
        ["transcript", "web:x"],
    ],
)
def test_a_command_without_an_installation_says_so(tmp_path, arguments):
    done = frontdesk_here(*arguments, "--data", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1)
    assert done.stderr.startswith(f"frontdesk: Frontdesk is not running in {tmp_path}; start it with")


@pytest.mark.parametrize("process", ["worker", "sender", "web"])
def test_a_process_without_an_installation_says_so(tmp_path, process):
    done = frontdesk(process, "--data", str(tmp_path))
    assert done.returncode == 78
    assert done.stderr.splitlines()[-1].startswith(f"frontdesk: Frontdesk is not running in {tmp_path}; start it with")


def test_users_are_added_reset_disabled_and_listed(installation):
    added = installation.run("user", "add", "cli.kim", "--role", "supervisor")
    assert added.returncode == 0
    password = added.stdout.strip()
    assert re.fullmatch(r"\S{12,}", password)
    assert re.search(
        r"cli\.kim +Cli Kim +supervisor +has a one-time password +never", installation.run("user", "list").stdout
    )
    again = installation.run("user", "add", "cli.kim", "--role", "agent")
    assert (again.returncode, again.stderr) == (1, "frontdesk: there is a user cli.kim already\n")
    assert installation.run("user", "reset", "cli.kim").stdout.strip() != password
    assert installation.run("user", "disable", "cli.kim").returncode == 0
    assert re.search(r"cli\.kim .* disabled", installation.run("user", "list").stdout)
    assert installation.run("user", "enable", "cli.kim").returncode == 0
    missing = installation.run("user", "reset", "nobody")
    assert (missing.returncode, missing.stderr) == (1, "frontdesk: there is no user nobody\n")


def test_a_token_is_alone_on_the_last_line_and_can_be_ended(installation):
    made = installation.run("token", "create", "--role", "agent", "--name", "cli test")
    assert re.fullmatch(r"fd_\S+", made.stdout.strip())
    row = next(line for line in installation.run("token", "list").stdout.splitlines() if "cli test" in line)
    assert made.stdout.strip() not in row
    assert installation.run("token", "revoke", row.split()[0]).returncode == 0
    ended = next(line for line in installation.run("token", "list").stdout.splitlines() if "cli test" in line)
    assert "ended" in ended


def test_an_empty_outbox_is_told(installation):
    done = installation.run("outbox", "list")
    assert (done.returncode, done.stdout) == (0, "nothing waits and nothing failed\n")
    missing = installation.run("outbox", "retry", "m404")
    assert (missing.returncode, missing.stderr) == (1, "frontdesk: there is no dead letter m404\n")
    assert installation.run("outbox", "drop", "all").returncode == 0


def test_config_shows_values_and_where_they_came_from_without_secrets(tmp_path):
    (tmp_path / "frontdesk.toml").write_text("[web]\nport = 1234\n")
    done = frontdesk_here("config", "--data", str(tmp_path), REDIS_URL="redis://:hunter2@elsewhere/0")
    assert re.search(r"web\.port +1234 +\S*frontdesk\.toml", done.stdout)
    assert re.search(r"redis\.url +\*{8} +REDIS_URL", done.stdout)
    assert "hunter2" not in done.stdout + done.stderr


def test_the_page_of_settings_is_what_the_settings_say():
    assert frontdesk_here("config", "--markdown").stdout == (ROOT / "docs" / "settings.md").read_text()


def test_the_example_on_the_page_of_settings_is_accepted(tmp_path):
    page = (ROOT / "docs" / "settings.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(example)
    (tmp_path / "frontdesk.toml").write_text(example)
    assert frontdesk_here("config", "--data", str(tmp_path)).returncode == 0


def test_rasas_own_commands_take_all_their_arguments_and_look_in_the_folders_of_frontdesk():
    done = frontdesk("rasa", "test", "--help")
    assert done.returncode == 0
    assert "--fail-on-prediction-errors" in done.stdout
    told = re.sub(r"\s+", " ", done.stdout)
    assert "containing your test stories. (default: tests)" in told
    assert "containing your NLU data. (default: nlu_data)" in told


def test_training_makes_a_model(models):
    with tarfile.open(Registry(models).live()) as archive:
        assert archive.getnames()


def test_the_entry_point_is_there():
    spec = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["frontdesk"]
    assert importlib.util.find_spec(spec.partition(":")[0])
