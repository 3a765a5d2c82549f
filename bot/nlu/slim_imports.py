"""Import spaCy and Presidio without what they drag in, and without warnings about old code in what Rasa pins."""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_UNNEEDED = "transformers"
"""Presidio imports it if it can, for a recogniser that is not used here: 40 MB and 2 s."""


@contextmanager
def slim_imports() -> Iterator[None]:
    """Import as if transformers were not installed, unless it has been imported already."""
    hidden = _UNNEEDED not in sys.modules
    if hidden:
        sys.modules[_UNNEEDED] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            bring_distutils()
            yield
    finally:
        if hidden:
            del sys.modules[_UNNEEDED]


def bring_distutils() -> None:
    """Let packaging 20.9, which Rasa pins, import distutils: since Python 3.12 a setuptools that came first has it."""
    if sys.version_info >= (3, 12):
        importlib.import_module("setuptools")
