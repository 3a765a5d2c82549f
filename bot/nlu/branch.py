"""A branch of an encoder: a second set of layers, tuned for the triage, beside those that know what a text is about.

Both start from the same embeddings. Intents need the vectors as they were: tuned for complaints, the encoder finds a
fifth fewer of them. A branch is kept as a file with the difference to the encoder's own weights: for a matrix
`(out, in)` either that itself, or two parts `NAME.left` `(out, rank)` and `NAME.right` `(rank, in)`, whose product it
is; for a vector itself. It also tells which texts it was tuned with.
"""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError

SHIPPED = Path(__file__).with_name("branch.safetensors")
"""That of the packaged encoder, tuned with the sentences in `nlu_data/triage`; docs/fine-tuning.md tells how."""
NAME = "branch.safetensors"
"""Of the file in a checkpoint's folder."""

_TUNED_WITH = "tuned_with"
_LEFT, _RIGHT = ".left", ".right"

Array = NDArray[Any]


def text_number(text: str) -> int:
    """Return a number that stands for a prepared text, the same on every machine; `0 <= number < 2**32`."""
    return zlib.crc32(text.encode())


def numbers_of(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Return the numbers of texts, `(n,) uint32`, each once, rising."""
    return np.unique(np.array([text_number(text) for text in texts], np.uint32))


def read_branch(file: Path, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights `(…) float32` that the branch has instead of the encoder's own.

    Raises:
        ConfigError: the file can't be read, or belongs to another encoder.
    """
    found = {name: value.astype(np.float32) for name, value in _load(file).items() if name != _TUNED_WITH}
    added = {name: value for name, value in found.items() if not name.endswith((_LEFT, _RIGHT))}
    for name in found:
        whole = name.removesuffix(_LEFT)
        if whole != name:
            added[whole] = found[name] @ found[whole + _RIGHT]
    if any(name not in weights or weights[name].shape != value.shape for name, value in added.items()):
        raise ConfigError(f"encoder: {file} belongs to another encoder")
    return {name: weights[name] + value for name, value in added.items()}


def read_tuned_with(file: Path) -> NDArray[np.uint32]:
    """Return the numbers of the texts that the branch was tuned with, `(n,) uint32`.

    Raises:
        ConfigError: the file can't be read.
    """
    return _load(file)[_TUNED_WITH]


def write_branch(
    file: Path,
    tuned: Mapping[str, Array],
    weights: Mapping[str, Array],
    tuned_with: NDArray[np.uint32],
    rank: int | None = None,
) -> None:
    """Write what differs between tuned weights and the encoder's own, and the numbers of the texts that did it.

    With a `rank`, matrices are brought to it, which makes the file small and loses little.
    Source: Aghajanyan et al. (2021),
    "Intrinsic dimensionality explains the effectiveness of language model fine-tuning".
    """
    from safetensors.numpy import save_file

    parts: dict[str, Array] = {_TUNED_WITH: tuned_with}
    for name, value in tuned.items():
        added = value - weights[name]
        if not added.any():
            continue
        if rank and added.ndim == 2:
            left, strength, right = np.linalg.svd(added, full_matrices=False)
            root = np.sqrt(strength[:rank])
            parts |= {name + _LEFT: left[:, :rank] * root, name + _RIGHT: root[:, None] * right[:rank]}
        else:
            parts[name] = added
    save_file(
        {
            name: np.ascontiguousarray(value if name == _TUNED_WITH else value.astype(np.float16))
            for name, value in parts.items()
        },
        file,
    )


def _load(file: Path) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: dict[str, Array] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"encoder: {file} can't be read: {error}") from error
    return {_TUNED_WITH: np.empty(0, np.uint32), **found}
