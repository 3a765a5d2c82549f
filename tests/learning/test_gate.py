"""`frontdesk models`, `evaluate`, `promote` and `rollback` where there is nothing to do, or not what was asked for."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.learning.evaluation import Evaluation, digest_of, evaluation_of
from bot.learning.golden import read_golden
from bot.learning.registry import How, Registry
from tests.running import ROOT, frontdesk_here

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def run(registry: Registry, *arguments: str, code: int = 1) -> str:
    done = frontdesk_here(*arguments, FRONTDESK_ASSISTANT__MODELS=str(registry.folder))
    assert done.returncode == code, done.stderr
    told = done.stdout if code == 0 else done.stderr
    assert code == 0 or len(told.splitlines()) == 1
    return told


def put(registry: Registry, name: str, model: Path | None = None) -> Path:
    registry.folder.mkdir(exist_ok=True)
    path = registry.folder / f"{name}.tar.gz"
    if model:
        shutil.copy(model, path)
    else:
        path.write_bytes(b"no archive")
    return path


def approve(registry: Registry, model: Path, live: Path) -> None:
    """Keep an evaluation without any heads, to which no rule of the copy objects."""
    found = Evaluation(
        model=model.name,
        sha256=digest_of(model),
        against=live.name,
        golden=read_golden(ROOT / "nlu_data" / "golden").digest,
        made_at=NOW,
        heads=(),
        replay=None,
    )
    evaluation_of(model).write_text(found.save())


def test_without_models_every_command_says_what_to_do(registry: Registry) -> None:
    assert "make one: frontdesk train" in run(registry, "models", code=0)
    assert "nothing to go back to" in run(registry, "rollback")
    assert "frontdesk train --candidate" in run(registry, "evaluate")
    assert "frontdesk train --candidate" in run(registry, "promote")
    assert not (registry.folder / "live.json").exists()


def test_the_list_says_which_model_is_what(registry: Registry) -> None:
    for name in ("first", "second", "spare", "next"):
        put(registry, name)
    for name in ("first", "second"):
        registry.make_live(registry.find(name), How.TRAINED, NOW)
    registry.nominate(registry.find("next"))
    rows = {line.split()[0]: line for line in run(registry, "models", code=0).splitlines()}
    assert "was live" in rows["first.tar.gz"]
    assert " live " in rows["second.tar.gz"].replace("was live", "")
    assert "2026-11-26 09:00" in rows["second.tar.gz"]
    assert "candidate" in rows["next.tar.gz"]
    assert "live" not in rows["spare.tar.gz"]


def test_a_file_that_is_no_model_is_not_measured(registry: Registry) -> None:
    put(registry, "broken")
    assert "broken.tar.gz is not a model" in run(registry, "evaluate", "broken", code=78)
    assert "there is no model other" in run(registry, "evaluate", "other")


def test_what_is_live_is_not_promoted_again(registry: Registry) -> None:
    registry.make_live(put(registry, "first"), How.TRAINED, NOW)
    assert "first.tar.gz is live already" in run(registry, "promote", "first")


def test_every_rule_that_is_broken_is_told_at_once(registry: Registry) -> None:
    live, candidate = put(registry, "live"), put(registry, "candidate")
    registry.make_live(live, How.TRAINED, NOW)
    registry.nominate(candidate)
    assert "it was not evaluated; run: frontdesk evaluate candidate" in run(registry, "promote")
    approve(registry, candidate, live)
    told = run(registry, "promote")
    for head in ("intents", "complaint", "severity", "sentiment", "entities"):
        assert f"{head}: there are no golden tests of it" in told
    candidate.write_bytes(b"another")
    assert "its file is not the one that was evaluated" in run(registry, "promote")
    assert registry.live() == live


def test_a_model_that_no_worker_could_load_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    live, candidate = put(registry, "live"), put(registry, "candidate")
    registry.make_live(live, How.TRAINED, NOW)
    data = tmp_path / "nlu_data"
    shutil.copytree(ROOT / "nlu_data" / "golden", data / "golden", ignore=shutil.ignore_patterns("promotion.yml"))
    approve(registry, candidate, live)
    done = frontdesk_here(
        "promote",
        "candidate",
        FRONTDESK_ASSISTANT__MODELS=str(registry.folder),
        FRONTDESK_ASSISTANT__DATA=str(data),
    )
    assert done.returncode == 78
    assert "candidate.tar.gz can't be loaded" in done.stderr
    assert registry.live() == live


def test_there_is_no_way_back_to_a_model_that_no_worker_could_load(registry: Registry, models: Path) -> None:
    whole = put(registry, "whole", Registry(models).require_live())
    torn = put(registry, "torn")
    torn.write_bytes(whole.read_bytes()[:-100_000])
    live = put(registry, "live")
    for model in (whole, torn, live):
        registry.make_live(model, How.TRAINED, NOW)
    assert "torn.tar.gz can't be loaded" in run(registry, "rollback", code=78)
    assert registry.live() == live
    shutil.copy(whole, torn)
    assert "torn.tar.gz is live again instead of live.tar.gz" in run(registry, "rollback", code=0)
