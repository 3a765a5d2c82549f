from pathlib import Path

import pytest

from bot.configuration import load, rows
from bot.conversation.errors import ConfigError


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("FRONTDESK_") or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)


def write(folder: Path, text: str) -> dict[str, Path]:
    (folder / "frontdesk.toml").write_text(text)
    return {"data": folder}


def test_later_sources_win_and_are_named(tmp_path, monkeypatch):
    flags = write(tmp_path, '[web]\nport = 1001\nhost = "::1"\n[worker]\ncount = 2\n')
    monkeypatch.setenv("FRONTDESK_WEB__PORT", "1002")
    monkeypatch.setenv("FRONTDESK_WORKER__COUNT", "3")
    configuration = load({**flags, "web.port": 1003})
    assert configuration.settings.web.port == 1003
    assert configuration.settings.worker.count == 3
    assert configuration.settings.web.host == "::1"
    sources = {row.name: row.source for row in rows(configuration)}
    assert sources["web.port"] == "command line"
    assert sources["worker.count"] == "FRONTDESK_WORKER__COUNT"
    assert sources["web.host"] == str(tmp_path / "frontdesk.toml")
    assert sources["log.level"] == "default"


def test_a_flag_that_was_not_given_changes_nothing(tmp_path):
    assert load({"data": tmp_path, "web.port": None}).settings.web.port == 8080


def test_well_known_variables_set_the_services(tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://:secret@elsewhere/0")
    monkeypatch.setenv("DATABASE_URL", "")
    configuration = load({"data": tmp_path})
    assert configuration.settings.redis.url.get_secret_value() == "redis://:secret@elsewhere/0"
    assert configuration.settings.database.url is None
    row = next(row for row in rows(configuration) if row.name == "redis.url")
    assert (row.value, row.source) == ("********", "REDIS_URL")


def test_lists_and_tables_are_read_from_file_and_environment(tmp_path, monkeypatch):
    flags = write(tmp_path, "[hours.weekly]\nmon = [08:00:00, 12:30:00]\n")
    monkeypatch.setenv("FRONTDESK_HOURS__CLOSED_ON", '["2026-12-25"]')
    hours = load(flags).settings.hours
    assert list(hours.weekly) == ["mon"]
    assert hours.weekly["mon"][1].isoformat() == "12:30:00"
    assert hours.closed_on == ("2026-12-25",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[web]\nprot = 1\n", '"web.prot"; did you mean "web.port"'),
        ("port = 1\n", 'there is no setting "port"'),
        ("web = 1\n", '"web" is a section'),
        ('data = "/elsewhere"\n', "can't be set in its own file"),
        ("[web\n", "is not TOML"),
        ("[web]\nport = 'x'\n", "setting web.port (from "),
        ("[hours]\ntimezone = 'Mars/Olympus'\n", "time zone is not known"),
        ("[hours]\nclosed_on = ['25.12.2026']\n", "write dates like 2026-12-25"),
        ("[hours.weekly]\nmonday = [08:00:00, 12:00:00]\n", "days are mon, tue"),
        ("[hours.weekly]\nmon = [18:00:00, 12:00:00]\n", "mon closes before it opens"),
        ("[redis]\nurl = 'http://:hunter2@x'\n", "must begin with redis:// or rediss:// or unix://"),
        ("[worker]\nlease_s = 0\n", "setting worker.lease_s"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_in_one_line(tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert expected in str(caught.value)
    assert "frontdesk.toml" in str(caught.value)
    assert "\n" not in str(caught.value).strip() or "TOML" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("FRONTDESK_WEB__PROT", "1", 'did you mean "web.port"'),
        ("FRONTDESK_WEB_PORT", "1", "there is no setting"),
        ("FRONTDESK_WEB__PORT", "x", "setting web.port (from FRONTDESK_WEB__PORT)"),
        ("FRONTDESK_HOURS__CLOSED_ON", "2026-12-25", 'must be JSON, for example ["…", "…"]'),
        ("FRONTDESK_LOG__LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_what_is_wrong_in_the_environment_is_told(tmp_path, monkeypatch, variable, value, expected):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load({"data": tmp_path})
    assert expected in str(caught.value)


def test_every_setting_has_a_help():
    assert [row.name for row in rows() if not row.help] == []
