"""Tune the encoder end to end on labelled sentences; needs the extra `finetune`, and nothing else does.

Only `training`, `distillation`, `bert` and `tuning` import JAX: ask `lacking` first.
"""

import importlib.util

HOW_TO_GET_IT = "uv sync --extra finetune"


def lacking() -> str | None:
    """Return a line that says what is not there and how to get it; None if all is there."""
    absent = [name for name in ("jax", "optax") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed; get it with `{HOW_TO_GET_IT}`" if absent else None
