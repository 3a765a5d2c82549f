"""Nobody can be another customer."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer

from bot.channels.identity import MAX_AGE, RENEW_AFTER, Identities, load_secret
from bot.conversation.errors import ConfigError


def identities() -> Identities:
    return Identities(b"k" * 32)


def test_a_token_names_its_customer() -> None:
    issued = identities().issue()
    assert issued.new
    known = identities().recognise(issued.token)
    assert known is not None
    assert (known.customer, known.token, known.new) == (issued.customer, issued.token, False)
    assert identities().issue().customer != issued.customer


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "x" * 10_000, "\ud83d", "é.é.é"])
def test_what_was_not_issued_is_not_known(token: str | None) -> None:
    assert identities().recognise(token) is None


def test_a_changed_token_and_one_of_another_installation_are_not_known() -> None:
    mine, other = identities().issue(), identities().issue()
    body, rest = mine.token.split(".", 1)
    assert identities().recognise(f"{other.token.split('.', 1)[0]}.{rest}") is None
    assert identities().recognise(f"{body}.{rest[:-2]}xx") is None
    assert Identities(b"o" * 32).recognise(mine.token) is None
    assert identities().recognise(str(URLSafeTimedSerializer(b"k" * 32).dumps("web"))) is None


@pytest.mark.parametrize(
    ("age", "known", "renewed"),
    [(timedelta(days=1), True, False), (RENEW_AFTER * 1.1, True, True), (MAX_AGE * 1.1, False, False)],
)
def test_a_token_that_is_used_stays_young(
    monkeypatch: pytest.MonkeyPatch, age: timedelta, known: bool, renewed: bool
) -> None:
    past = (datetime.now(UTC) - age).timestamp()
    with monkeypatch.context() as patch:
        patch.setattr("itsdangerous.timed.time.time", lambda: past)
        issued = identities().issue()
    found = identities().recognise(issued.token)
    assert (found is not None) == known
    if found:
        assert found.customer == issued.customer
        assert (found.token != issued.token) == renewed


def test_the_secret_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda _: load_secret(tmp_path, "chat"), range(8)))
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 32
    (file,) = (tmp_path / "secrets").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert load_secret(tmp_path, "chat") == secrets[0]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_secret(tmp_path, "other") != secrets[0]


@pytest.mark.parametrize("content", ["", "zz", "ab12"])
def test_a_damaged_secret_is_one_clear_error(tmp_path: Path, content: str) -> None:
    load_secret(tmp_path, "chat")
    (tmp_path / "secrets" / "chat.key").write_text(content)
    with pytest.raises(ConfigError, match=r"chat\.key"):
        load_secret(tmp_path, "chat")
