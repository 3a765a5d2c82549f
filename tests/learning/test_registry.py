"""One truth about which model is live."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.conversation.errors import ConfigError, Conflict, NotFound
from bot.learning.registry import REMEMBERED, How, Registry

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def made(registry: Registry, name: str) -> Path:
    registry.folder.mkdir(exist_ok=True)
    path = registry.folder / f"{name}.tar.gz"
    path.write_text(name)
    return path


def live(registry: Registry, name: str, **more: str) -> Path:
    model = made(registry, name)
    registry.make_live(model, How.PROMOTED, NOW, **more)
    return model


def test_a_model_is_live_only_once_it_is_named(registry: Registry) -> None:
    assert registry.live() is None
    model = made(registry, "newest")
    assert registry.live() is None
    registry.make_live(model, How.TRAINED, NOW)
    made(registry, "newer")
    assert registry.live() == model


def test_a_candidate_is_not_served_until_it_is_made_live(registry: Registry) -> None:
    old = live(registry, "old")
    candidate = made(registry, "candidate")
    registry.nominate(candidate)
    assert (registry.live(), registry.standing().candidate) == (old, candidate.name)
    registry.make_live(candidate, How.PROMOTED, NOW)
    assert (registry.live(), registry.standing().candidate) == (candidate, None)


def test_a_rollback_goes_back_step_by_step_and_no_further(registry: Registry) -> None:
    first, second, third = (live(registry, name) for name in ("first", "second", "third"))
    assert registry.roll_back() == (third, second)
    assert registry.roll_back() == (second, first)
    with pytest.raises(NotFound, match="nothing to go back to"):
        registry.roll_back()
    assert registry.live() == first


def test_what_is_live_already_is_no_step_to_roll_back(registry: Registry) -> None:
    first, second = live(registry, "first"), live(registry, "second")
    registry.make_live(second, How.TRAINED, NOW + timedelta(days=1))
    assert registry.roll_back() == (second, first)


def test_a_rollback_to_a_model_that_is_gone_is_refused_and_changes_nothing(registry: Registry) -> None:
    first, second = live(registry, "first"), live(registry, "second")
    first.unlink()
    with pytest.raises(NotFound, match=r"first\.tar\.gz .* is gone"):
        registry.roll_back()
    assert registry.live() == second


def test_a_promotion_over_another_model_than_expected_is_refused(registry: Registry) -> None:
    first, second = live(registry, "first"), live(registry, "second")
    with pytest.raises(Conflict, match=r"second\.tar\.gz became live meanwhile"):
        live(registry, "third", instead_of=first.name)
    assert registry.live() == second


def test_a_live_model_that_is_gone_is_told(registry: Registry) -> None:
    live(registry, "first").unlink()
    with pytest.raises(ConfigError, match=r"first\.tar\.gz is gone"):
        registry.live()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"served": 1}', '{"candidate": null, "more": 1}', "\xff"])
def test_a_damaged_file_is_told_and_kept(registry: Registry, content: str) -> None:
    made(registry, "first")
    registry.file.write_bytes(content.encode("latin-1"))
    for change in (registry.live, registry.roll_back, lambda: live(registry, "second")):
        with pytest.raises(ConfigError, match=r"live\.json is damaged"):
            change()
    assert registry.file.read_bytes() == content.encode("latin-1")


def test_the_file_can_not_name_what_lies_outside_of_the_folder(registry: Registry) -> None:
    live(registry, "first")
    told = json.loads(registry.file.read_text())
    told["served"][0]["model"] = "../elsewhere.tar.gz"
    registry.file.write_text(json.dumps(told))
    with pytest.raises(ConfigError):
        registry.live()


def test_changes_at_the_same_time_are_all_kept(registry: Registry) -> None:
    names = [f"m{number}" for number in range(REMEMBERED)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: live(registry, name), names))
    assert sorted(served.model for served in registry.standing().served) == sorted(f"{name}.tar.gz" for name in names)


def test_the_list_of_what_was_live_stays_short(registry: Registry) -> None:
    for number in range(REMEMBERED + 5):
        live(registry, f"m{number}")
    assert registry.standing().served[0].model == "m5.tar.gz"


@pytest.mark.parametrize("form", ["{name}", "{name}.tar.gz", "{folder}/{name}.tar.gz"])
def test_a_model_is_found_by_name_file_or_path(registry: Registry, form: str) -> None:
    model = made(registry, "abc")
    assert registry.find(form.format(name="abc", folder=registry.folder)) == model


@pytest.mark.parametrize("name", ["other", "../models2/abc", "/abc.tar.gz", ""])
def test_a_model_that_is_not_in_the_folder_is_not_found(registry: Registry, name: str) -> None:
    made(registry, "abc")
    with pytest.raises(NotFound, match="frontdesk models"):
        registry.find(name)
