"""What Rasa's modules get when they import a package that Frontdesk does without.

Rasa 3.6 imports TensorFlow, Sentry and every connector's client library at module level, whether they are used or not.
The modules of rasa and rasa_sdk are given an `import` of their own here, that answers such names with placeholders.
Nobody else in the process sees them: `sys.modules` and the imports of other packages stay as they are.
"""

import builtins
import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FrameType, ModuleType
from typing import Any

from bot.conversation.errors import ConfigError

ABSENT = frozenset({"keras", "tensorflow", "tensorflow_addons", "tensorflow_hub", "tensorflow_text"})
"""Not installed: components that need them can't be used."""

REFUSED = frozenset({"sentry_sdk", "structlog_sentry"})
"""Installed, but would report to a third party."""

SILENCED = {"rasa.telemetry": ("initialize_error_reporting", "initialize_telemetry", "_send_event")}
"""Functions that would report to a third party, by module."""

REPLACED = {
    "rasa.core.actions.forms": {"copy": ("bot.rasa_copies", "no_copy")},
    "rasa.core.policies.rule_policy": {
        "copy": ("bot.rasa_copies", "no_copy"),
        "RulePolicy": ("bot.rasa_rules", "RulePolicy"),
    },
    "rasa.core.processor": {"copy": ("bot.rasa_copies", "no_copy")},
    "rasa.engine.runner.dask": {"DaskGraphRunner": ("bot.rasa_runner", "InOrderRunner")},
    "rasa.model_training": {"LocalTrainingCache": ("bot.rasa_cache", "NoCache")},
    "rasa.shared.core.trackers": {"copy": ("bot.rasa_copies", "slot_copy")},
}
"""What Frontdesk has its own of: Rasa's module, and in it Rasa's name, then ours with its module."""

REPLACED_PACKAGES = frozenset({"dask"})
"""Not installed: nothing but what is replaced needs them."""

UNNEEDED = frozenset(
    {
        "aio_pika",
        "aiogram",
        "aiormq",
        "apscheduler",
        "boto3",
        "botocore",
        "colorclass",
        "confluent_kafka",
        "fbmessenger",
        "matplotlib",
        "mattermostwrapper",
        "networkx",
        "prompt_toolkit",
        "psycopg2",
        "pymongo",
        "questionary",
        "rocketchat_API",
        "sanic",
        "sanic_cors",
        "sanic_jwt",
        "sanic_routing",
        "slack",
        "slack_sdk",
        "socketio",
        "sklearn",
        "sqlalchemy",
        "terminaltables",
        "twilio",
        "webexteamssdk",
    }
)
"""Installed, but not needed to serve a model: leaving them out halves the import time (see bench/)."""

ALWAYS = ABSENT | REFUSED | REPLACED_PACKAGES
"""What Rasa never gets, in any process."""


class Placeholder:
    """Stands for a package, or for anything that is imported from it.

    Whatever a module does with it while it is being imported (subclass it, decorate with it, build a table of it) goes
    through; any use after that raises `ConfigError`, naming the component that needs the package.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        attribute = Placeholder(f"{self.__name__}.{name}")
        object.__setattr__(self, name, attribute)
        return attribute

    def __call__(self, *args: object, **kwargs: object) -> Any:  # noqa: D102
        frame = sys._getframe(1)
        if not _is_import(frame):
            raise _refusal(self.__name__, frame)
        return Placeholder(f"{self.__name__}()")

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        def refuse(cls: type, *args: object, **kwargs: object) -> Any:
            raise _refusal(self.__name__, sys._getframe(1))

        return (type(self.__name__.rpartition(".")[2], (), {"__new__": refuse}),)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __getitem__(self, key: object) -> Any:
        return self

    def __or__(self, other: object) -> Any:
        return self

    __ror__ = __or__

    def __iter__(self) -> Any:
        return iter(())

    def __repr__(self) -> str:
        return f"<placeholder for {self.__name__}>"


def _is_import(frame: FrameType | None) -> bool:
    """Say whether a module is being imported, as opposed to something being used."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and str(frame.f_globals.get("__name__")).startswith("rasa"):
            return True
        frame = frame.f_back
    return False


def config_error(text: str) -> ConfigError:
    """Return an error that Rasa passes on unchanged, because it takes it for one of its own about config.yml."""
    from rasa.shared.exceptions import InvalidConfigException

    error: ConfigError = type("ConfigError", (ConfigError, InvalidConfigException), {})(text)
    return error


def _refusal(name: str, frame: FrameType) -> ConfigError:
    component = _component(frame)
    package = name.partition(".")[0]
    if package in ABSENT:
        return config_error(
            f"{component} needs TensorFlow ({name}), which Frontdesk does without. "
            f"Replace it in config.yml, for example by the components of bot/nlu, and train again."
        )
    if package in REFUSED:
        return config_error(
            f"{component} wants to report to an outside service ({name}); Frontdesk doesn't allow that."
        )
    return config_error(
        f"{component} needs {name}, which this process has left out. "
        f"Use `frontdesk rasa` for it, or remove it from config.yml or endpoints.yml."
    )


def _component(frame: FrameType | None) -> str:
    """Name the graph component that is at work, else the function that was called."""
    place = "Rasa"
    found: str | None = None
    while frame is not None:
        owner = frame.f_locals.get("self", frame.f_locals.get("cls"))
        kind = owner if isinstance(owner, type) else type(owner)
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("rasa.") and place == "Rasa":
            place = f"{module}.{frame.f_code.co_name}"
        if any(base.__name__ == "GraphComponent" for base in kind.__mro__):
            found = kind.__name__
        frame = frame.f_back
    return f"The component {found}" if found else place


class _RasaImports:
    """The state of the hook: which packages Rasa's modules get a placeholder for."""

    def __init__(self) -> None:
        self.names: frozenset[str] = ALWAYS
        self._placeholders: dict[str, Placeholder] = {}
        self._import = builtins.__import__
        self.builtins = {**vars(builtins), "__import__": self.import_}

    def import_(
        self,
        name: str,
        globals: dict[str, object] | None = None,  # noqa: A002  named as `__import__` names it
        locals: dict[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Do what `__import__` does, with placeholders for `names`."""
        root, _, rest = name.partition(".")
        if level or root not in self.names:
            return self._import(name, globals, locals, fromlist or (), level)
        placeholder = self._placeholders.setdefault(root, Placeholder(root))
        if fromlist:
            for part in rest.split(".") if rest else ():
                placeholder = getattr(placeholder, part)
        return placeholder


_hook = _RasaImports()


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = _hook.builtins
        super().exec_module(module)
        for name in SILENCED.get(module.__name__, ()):
            setattr(module, name, _say_nothing)
        for name, (ours, ours_in_it) in REPLACED.get(module.__name__, {}).items():
            setattr(module, name, getattr(importlib.import_module(ours), ours_in_it))


def _say_nothing(*args: object, **kwargs: object) -> None:
    """Take the place of a function that reports to somebody outside."""


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in ("rasa", "rasa_sdk"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install(extra: Iterable[str] = ()) -> None:
    """Give Rasa's modules placeholders for what is absent or refused, and for `extra`, from now on.

    A module keeps what it got when it was imported. May be called again with another `extra`.
    """
    _hook.names = ALWAYS | frozenset(extra)
    if not any(isinstance(finder, type) and finder is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)
