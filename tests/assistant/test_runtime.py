"""Rasa as a library: what is imported, what is refused, what is told when something is wrong."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.conversation.errors import ConfigError
from bot.rasa_runtime import load_processor, model_digest, prepare, train
from tests.conftest import ROOT

prepare()

from rasa.core.tracker_store import InMemoryTrackerStore  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402

SERVE = """
import asyncio, sys
from pathlib import Path
from bot.rasa_runtime import load_processor, prepare
prepare()
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.domain import Domain
processor = load_processor(Path(sys.argv[1]), InMemoryTrackerStore(Domain.empty()))
channel = CollectingOutputChannel()
asyncio.run(processor.handle_message(UserMessage("/greet", channel, "a")))
assert "computer program" in channel.messages[0]["text"]
import sentry_sdk
assert sentry_sdk.Hub.current.client is None
sys.modules.pop("sentry_sdk")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""

TELEMETRY = """
from bot.rasa_runtime import prepare
prepare()
import rasa.telemetry, sentry_sdk
assert not rasa.telemetry.is_telemetry_enabled()
rasa.telemetry.initialize_error_reporting()
assert rasa.telemetry.initialize_telemetry() is None
assert sentry_sdk.Hub.current.client is None
"""

PIPELINE = """
recipe: default.v1
assistant_id: test
language: en
pipeline:
- name: WhitespaceTokenizer
- name: LexicalSyntacticFeaturizer
- name: {component}
policies:
- name: RulePolicy
"""

TRAIN = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from bot.conversation.errors import ConfigError
from bot.rasa_runtime import train
try:
    train(*map(Path, sys.argv[1:]))
except ConfigError as error:
    print(error)
"""


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assistant(folder: Path, config: str) -> tuple[Path, Path, Path]:
    (folder / "config.yml").write_text(config)
    shutil.copy(ROOT / "domain.yml", folder)
    (folder / "data").mkdir()
    for name in ("rules.yml", "conversation.yml", "chitchat.yml"):
        shutil.copy(ROOT / "nlu_data" / name, folder / "data")
    shutil.copy(ROOT / "nlu_data" / "faq" / "stores.yml", folder / "data")
    return folder / "config.yml", folder / "domain.yml", folder / "data"


def without_nlu() -> str:
    config = (ROOT / "config.yml").read_text()
    return config[: config.index("pipeline:")] + "pipeline: []\n" + config[config.index("policies:") :]


def test_serving_imports_no_tensorflow_and_reports_to_nobody(trained_model: Path) -> None:
    packages = python(SERVE, str(trained_model)).split()
    assert "rasa" in packages
    unwanted = {"tensorflow", "keras", "torch", "dask", "sanic", "sqlalchemy", "matplotlib", "pymongo", "boto3"}
    assert unwanted & set(packages) == set()


def test_telemetry_and_error_reports_stay_off() -> None:
    python(TELEMETRY)


def test_other_packages_see_the_modules_that_rasa_does_without() -> None:
    import sqlalchemy

    from bot.rasa_imports import Placeholder

    assert not isinstance(sqlalchemy.create_engine, Placeholder)
    with pytest.raises(ModuleNotFoundError):
        import tensorflow  # noqa: F401


@pytest.mark.parametrize(
    ("component", "told"),
    [
        ("DIETClassifier", r"DIETClassifier needs TensorFlow .* Replace it in config\.yml"),
        ("LogisticRegressionClassifier", r"LogisticRegressionClassifier needs sklearn.* remove it from config\.yml"),
    ],
)
def test_a_component_that_could_not_be_served_is_not_trained(tmp_path: Path, component: str, told: str) -> None:
    # In a process of its own: modules that another test has imported whole would be found.
    files = assistant(tmp_path, PIPELINE.format(component=component))
    assert re.search(told, python(TRAIN, str(tmp_path / "models"), *map(str, files)))


def test_a_wrong_threshold_is_named(tmp_path: Path) -> None:
    config = without_nlu().replace("fallbacks: 2", "fallbacks: two")
    with pytest.raises(ConfigError, match="EscalationPolicy, fallbacks: invalid literal"):
        train(tmp_path / "models", *assistant(tmp_path, config))


def test_a_broken_domain_is_told(tmp_path: Path) -> None:
    config, domain, data = assistant(tmp_path, (ROOT / "config.yml").read_text())
    domain.write_text("version: '3.1'\nintents: [hi\n")
    with pytest.raises(ConfigError, match="training failed"):
        train(tmp_path / "models", config, domain, data)
    assert list((tmp_path / "models").iterdir()) == []


def test_the_same_inputs_are_not_trained_again(tmp_path: Path) -> None:
    inputs = assistant(tmp_path, without_nlu())
    model = train(tmp_path / "models", *inputs)
    before = model.stat().st_mtime_ns
    assert train(tmp_path / "models", *inputs) == model
    assert model.stat().st_mtime_ns == before
    assert list((tmp_path / "models").iterdir()) == [model]


def test_golden_tests_do_not_make_another_model(tmp_path: Path) -> None:
    inputs = assistant(tmp_path, (ROOT / "config.yml").read_text())
    before = model_digest(*inputs)
    (tmp_path / "data" / "golden").mkdir()
    (tmp_path / "data" / "golden" / "faq.yml").write_text("nlu: []")
    assert model_digest(*inputs) == before
    (tmp_path / "data" / "more.yml").write_text("nlu: []")
    assert model_digest(*inputs) != before


def test_another_branch_of_the_encoder_makes_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = assistant(tmp_path, (ROOT / "config.yml").read_text())
    monkeypatch.setattr("bot.rasa_runtime.MODEL_CODE", (str(tmp_path),))
    before = model_digest(*inputs)
    (tmp_path / "branch.safetensors").write_bytes(b"tuned anew")
    assert model_digest(*inputs) != before


def test_no_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no training data"):
        model_digest(ROOT / "config.yml", ROOT / "domain.yml", tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_corrupt_model_is_told(tmp_path: Path, content: bytes) -> None:
    model = tmp_path / "model.tar.gz"
    model.write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.tar\.gz can't be loaded"):
        load_processor(model, InMemoryTrackerStore(Domain.empty()))


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be loaded"):
        load_processor(tmp_path / "none.tar.gz", InMemoryTrackerStore(Domain.empty()))
