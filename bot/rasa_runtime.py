"""Rasa 3.6 as a library: without TensorFlow, telemetry or Sentry, with quiet logs, quick to start.

`prepare` must have been called before anything of Rasa is imported.
"""

import hashlib
import importlib
import io
import logging
import os
import platform
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import rasa_imports
from bot.conversation.errors import ConfigError
from bot.nlu.slim_imports import bring_distutils

if TYPE_CHECKING:
    from rasa.core.processor import MessageProcessor
    from rasa.core.tracker_store import TrackerStore
    from rasa.shared.nlu.training_data.training_data import TrainingData

    from bot.nlu.intents import Taught

logger = logging.getLogger(__name__)

SERVING = ("rasa.core.processor", "rasa.core.policies.rule_policy", "rasa.core.nlg", "rasa_sdk.executor")
"""The part of Rasa that every model needs to be served; imported without the packages that serving doesn't need."""

MODEL_CODE = ("bot/nlu", "bot/policies")
MODEL_SUFFIXES = (".py", ".safetensors")
MODEL_LIBRARIES = ("rasa", "numpy", "scikit-learn", "scipy", "spacy", "onnxruntime", "tokenizers", "vadersentiment")
"""What besides config, domain and data decides what a trained model is: our code, the branch, and these packages."""

OLD_STYLE: tuple[tuple[type[Warning], str], ...] = (
    (UserWarning, "pkg_resources is deprecated"),
    (DeprecationWarning, "Deprecated call to `pkg_resources"),
    (DeprecationWarning, ".* deprecated - use "),
    (DeprecationWarning, "distutils Version classes are deprecated"),
    (DeprecationWarning, "Nesting argument groups is deprecated"),
    (DeprecationWarning, "Use of .. or absolute path in a resource path is not allowed"),
    (DeprecationWarning, r"The ``declarative_base\(\)`` function"),
    (DeprecationWarning, r"datetime\.datetime\.utc(now|fromtimestamp)\(\) is deprecated"),
    (DeprecationWarning, "Python 3.14 will, by default, filter extracted tar archives"),
    (DeprecationWarning, r"the load_module\(\) method is deprecated"),
    (UserWarning, "Slot auto-fill has been removed in 3.0"),
    # The component that finds answers here isn't derived from Rasa's, which needs TensorFlow.
    (UserWarning, "You have defined training data with examples for training a response selector"),
    # Rasa wants retrieval intents to be listed, and then finds them again in the training data.
    (UserWarning, "The following duplicated intents have been found"),
)
"""Warnings about old code in Rasa and what it pins, which nobody here can act on: category, how the text begins."""

_SETTINGS = {"RASA_TELEMETRY_ENABLED": "false"}
_RASA_FILE = re.compile(r"^(nlu|stories|rules|responses|intents|entities|slots|forms|actions):", re.MULTILINE)
_LOGGED = ("event", "event_info", "action_name", "filename", "url")
"""What may be told of a log entry of Rasa's; the rest can hold a customer's words."""

_prepared: set[str] = set()


def prepare(serving: bool = True) -> None:
    """Make Rasa importable. Costs nothing when done before.

    Args:
        serving: import the part that serves a model now, and slim; what is imported after that comes whole.
            Otherwise all of Rasa comes whole in this process.
    """
    if "base" not in _prepared:
        _prepared.add("base")
        os.environ.update(_SETTINGS)
        import numpy

        if not hasattr(numpy, "VisibleDeprecationWarning"):
            numpy.VisibleDeprecationWarning = numpy.exceptions.VisibleDeprecationWarning  # type: ignore[attr-defined]
        with tolerating_old_style():
            bring_distutils()
        rasa_imports.install()
        configure_logs()
    if "serving" not in _prepared:
        _prepared.add("serving")
        if not serving:
            return
        with _slim(), tolerating_old_style():
            for name in SERVING:
                importlib.import_module(name)


def load_processor(model: Path, tracker_store: "TrackerStore", endpoints: Path | None = None) -> "MessageProcessor":
    """Return a trained model, ready to take messages; custom actions run in this process unless `endpoints` differs.

    Raises:
        ConfigError: the model or the endpoints file can't be used.
    """
    prepare()
    from rasa.core.lock_store import InMemoryLockStore
    from rasa.core.nlg import NaturalLanguageGenerator
    from rasa.utils.endpoints import read_endpoint_config

    from bot.action_endpoint import action_endpoint
    from bot.rasa_processor import Processor

    file = str(endpoints) if endpoints and endpoints.exists() else None
    broken: tuple[type[Exception], ...] = (*_errors(), OSError, EOFError, LookupError, ValueError, AttributeError)
    with tolerating_old_style():
        nlg = read_endpoint_config(file, "nlg") if file else None
        actions = action_endpoint(file)
        try:
            processor = Processor(model, tracker_store, InMemoryLockStore(), NaturalLanguageGenerator(), actions)
        except broken as error:
            raise ConfigError(
                f"the model {model} can't be loaded: {_told(error)} (`frontdesk train` makes a new one)"
            ) from error
    processor.nlg = NaturalLanguageGenerator.create(nlg, processor.domain)
    tracker_store.domain = processor.domain
    return processor


def train(out_dir: Path, config: Path, domain: Path, data: Path) -> Path:
    """Train an assistant and return the model's file; one that was trained of the same inputs is not trained again.

    Raises:
        ConfigError: Rasa refused the files; the text is what it said.
    """
    model = out_dir / f"{model_digest(config, domain, data)}.tar.gz"
    if model.exists():
        return model
    prepare()
    rasa_errors = _errors()
    said = io.StringIO()
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".training-", dir=out_dir) as folder:
        try:
            with tolerating_old_style(), _quiet(), _slim(), redirect_stdout(said):
                from rasa.model_training import train as train_with_rasa

                result = train_with_rasa(
                    str(domain), str(config), _rasa_files(data), folder, force_training=True, fixed_model_name="model"
                )
        except rasa_errors as error:
            raise ConfigError(f"training failed: {_told(error)}") from error
        except SystemExit as end:
            raise ConfigError(f"training failed: {said.getvalue().strip()}") from end
        if not result.model:
            raise ConfigError(f"training failed: {said.getvalue().strip()}")
        shutil.move(result.model, model)
    return model


def taught_intents(domain: Path, data: Path) -> "Taught":
    """Return what is known of all intents, as training reads it.

    Raises:
        ConfigError: Rasa refused the files; the text is what it said.
    """
    prepare()
    rasa_errors = _errors()
    try:
        with tolerating_old_style():
            from rasa.shared.importers.importer import TrainingDataImporter

            importer = TrainingDataImporter.load_from_dict({}, None, str(domain), _rasa_files(data))
            return taught_by(importer.get_nlu_data())
    except rasa_errors as error:
        raise ConfigError(f"training failed: {_told(error)}") from error


def taught_by(training_data: "TrainingData") -> "Taught":
    """Return what training data tells of intents."""
    from bot.nlu.intents import Taught

    examples = [(one.get("text"), one.get_full_intent()) for one in training_data.intent_examples if one.get("text")]
    answers = {
        action.removeprefix("utter_"): [one["text"] for one in answers if one.get("text")]
        for action, answers in training_data.responses.items()
    }
    return Taught.of(examples, answers)


def _errors() -> tuple[type[Exception], ...]:
    """Return what Rasa, and we, raise on purpose."""
    from rasa.engine import exceptions
    from rasa.shared.exceptions import RasaException

    graph = (exceptions.GraphRunError, exceptions.GraphComponentException, exceptions.GraphSchemaException)
    return (ConfigError, RasaException, *graph, exceptions.GraphSchemaValidationException)


def _told(error: BaseException) -> str:
    """Return the text of an error with that of its cause: Rasa's own often says no more than where it happened."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return " ".join(" ".join(str(cause).split()) or type(cause).__name__ for cause in (error, *causes[1:][-1:]))


def training_files(data: Path) -> list[Path]:
    """Return the files under `data` that an assistant is trained of: all but the golden tests."""
    files = sorted(file for file in data.rglob("*") if file.is_file() and "golden" not in file.relative_to(data).parts)
    if not files:
        raise ConfigError(f"there is no training data in {data}")
    return files


def _rasa_files(data: Path) -> list[str]:
    """Return those training files that are Rasa's; the others are read by our own components."""
    files = [file for file in training_files(data) if file.suffix in (".yml", ".yaml")]
    return [str(file) for file in files if _RASA_FILE.search(file.read_text())]


def model_digest(config: Path, domain: Path, data: Path) -> str:
    """Return a name for what a model would be trained of: its files, our code, the branch, the libraries."""
    files = [config, *([domain] if domain.is_file() else sorted(domain.rglob("*.yml"))), *training_files(data)]
    return _digest(files, code_digest())


def code_digest() -> str:
    """Return what changes with our code that trains, with the branch, and with the libraries and Python beneath."""
    root = Path(__file__).parent.parent
    code = (file for folder in MODEL_CODE for file in sorted((root / folder).rglob("*")))
    libraries = [f"{library}=={version(library)}" for library in MODEL_LIBRARIES]
    return _digest((file for file in code if file.suffix in MODEL_SUFFIXES), platform.python_version(), *libraries)


def _digest(files: Iterable[Path], *words: str) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file} can't be read: {error.strerror}") from error
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def main(argv: Sequence[str]) -> int:
    """Run Rasa's own command line (`frontdesk rasa …`) and return its exit code."""
    from bot.rasa_commands import run

    return run(argv)


def configure_logs(level: int | None = None) -> None:
    """Send Rasa's log entries to the standard library's logging, from `level` up, without customers' words."""
    import structlog

    level = logging.WARNING if level is None else level
    for name in ("rasa", "rasa_sdk"):
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[_without_words, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _without_words(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {"event": " ".join(f"{name}={entry[name]}" for name in _LOGGED if name in entry)}


@contextmanager
def tolerating_old_style() -> Iterator[None]:
    """Leave out the warnings of `OLD_STYLE`, and no others."""
    with warnings.catch_warnings():
        for category, text in OLD_STYLE:
            warnings.filterwarnings("ignore", text, category)
        yield


@contextmanager
def _slim() -> Iterator[None]:
    """Leave out what a process that serves leaves out, too: a model that needs it could not be served."""
    rasa_imports.install(rasa_imports.UNNEEDED)
    try:
        yield
    finally:
        rasa_imports.install()


@contextmanager
def _quiet() -> Iterator[None]:
    """Switch off Rasa's progress bars, which go by this variable."""
    before = os.environ.get("LOG_LEVEL")
    os.environ["LOG_LEVEL"] = "WARNING"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LOG_LEVEL"]
        else:
            os.environ["LOG_LEVEL"] = before
