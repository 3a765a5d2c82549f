"""Rasa's own command line (`frontdesk rasa …`), on the standard files, acting like the worker."""

import importlib
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from bot.logs import TALKATIVE
from bot.rasa_runtime import OLD_STYLE, configure_logs, prepare

DATA = "nlu_data"
"""Where commands look for training data if they are not told; Rasa itself would say `data`."""
INTERFACE = "127.0.0.1"
"""Where `shell` and `run` listen, without a password, if they are not told; Rasa would listen to the whole network."""
TESTS = "tests"
"""Where `test` looks for test stories; Rasa would look everywhere, and find its own examples in `.venv`."""

ACTIONS = Path(__file__).parent.parent / "actions"
UNUSED = re.compile(r"The utterance '(\w+)' is not used")
SPOKEN = ("utter_action_failed", "utter_ask_", "utter_default")
UNTRAINED = "The intent 'attachment' is listed in the domain file, but is not found"
"""What validation finds and what is meant so: responses that actions say, an intent that only Frontdesk sends."""


def run(argv: Sequence[str]) -> int:
    """Run a command of Rasa's and return its exit code."""
    prepare(serving=False)
    _show_only_what_matters()
    importlib.import_module("setuptools")  # sanic-cors wants the distutils that it brings
    defaults = vars(importlib.import_module("rasa.shared.constants"))
    defaults |= {"DEFAULT_DATA_PATH": DATA, "DEFAULT_E2E_TESTS_PATH": TESTS}
    vars(importlib.import_module("rasa.core.constants"))["DEFAULT_SERVER_INTERFACE"] = INTERFACE
    command_line: Any = importlib.import_module("rasa.__main__")
    command_line.configure_structlog = configure_logs
    _act_like_the_worker()
    _leave_out_empty_reports()
    sys.argv = ["frontdesk rasa", *argv]
    try:
        command_line.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    if argv[:2] == ["data", "validate"]:  # Rasa says it only to its log
        importlib.import_module("rasa.shared.utils.cli").print_success("Validation found no errors.")
    return 0


def _act_like_the_worker() -> None:
    """Let Rasa's commands, too, read payloads and run custom actions in their own process."""
    import rasa.core.agent
    from rasa.core.utils import AvailableEndpoints

    from bot.action_endpoint import action_endpoint
    from bot.rasa_processor import Processor

    read = AvailableEndpoints.read_endpoints

    def read_endpoints(file: str | None) -> Any:
        endpoints = read(file)
        endpoints.action = action_endpoint(file)
        return endpoints

    AvailableEndpoints.read_endpoints = read_endpoints
    rasa.core.agent.MessageProcessor = Processor


def _leave_out_empty_reports() -> None:
    """Skip the report on entities where there are none: scikit-learn no longer makes one of nothing."""
    for name in ("rasa.core.test", "rasa.nlu.test"):
        module: Any = importlib.import_module(name)

        def evaluate(results: Sequence[Any], *args: Any, whole: Any = module.evaluate_entities) -> Any:
            return whole(results, *args) if any(result.tokens for result in results) else {}

        module.evaluate_entities = evaluate


def _show_only_what_matters() -> None:
    """Drop warnings that nobody here can act on; libraries reset the filters, so it is done where they are shown."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    show = warnings.showwarning
    spoken = {name for file in ACTIONS.rglob("*.py") for name in re.findall(r"utter_\w+", file.read_text())}

    def show_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = str(message)
        unused = UNUSED.match(text)
        by_code = unused and (unused[1] in spoken or unused[1].startswith(SPOKEN))
        meant = by_code or text.startswith(UNTRAINED)
        old = any(issubclass(category, kind) and re.match(start, text) for kind, start in OLD_STYLE)
        if not (meant or old):
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_warning
