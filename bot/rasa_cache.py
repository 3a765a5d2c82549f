"""The training cache of Rasa's that keeps nothing.

Its fingerprints cover a component's class, not the modules that it is a thin layer of, so that it would hand out what
older code has learnt. A model as a whole is kept by what it is trained of (`bot.rasa_runtime.train`), and so are the
heads of the triage.
"""

from __future__ import annotations

from typing import Any

from rasa.engine.caching import Cacheable, TrainingCache
from rasa.engine.storage.storage import ModelStorage


class NoCache(TrainingCache):  # type: ignore[misc]
    """Knows of no earlier training."""

    def cache_output(self, fingerprint_key: str, output: Any, output_fingerprint: str, model_storage: Any) -> None:
        """Keep nothing."""

    def get_cached_output_fingerprint(self, fingerprint_key: str) -> str | None:
        """Return None: nothing is kept."""
        return None

    def get_cached_result(
        self, output_fingerprint_key: str, node_name: str, model_storage: ModelStorage
    ) -> Cacheable | None:
        """Return None: nothing is kept."""
        return None
