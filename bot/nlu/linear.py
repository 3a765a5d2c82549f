"""Linear classifiers over an encoding, ready to use; `bot.nlu.fitting` makes them. Kept as npz and json, no pickle."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Linear:
    """A trained classifier; standardisation and calibration are folded into it.

    `weights` is `(labels, features) float32`, `bias` `(labels,) float32`. With `exclusive` one of the labels is true
    of a text, otherwise each may be.
    """

    labels: tuple[str, ...]
    weights: Floats
    bias: Floats
    exclusive: bool

    def logits(self, features: Floats) -> Floats:
        """Return `(n, labels) float32` for `(n, features)`."""
        # Row by row: one product of matrices rounds differently for another number of rows.
        rows = [self.weights @ row + self.bias for row in features.astype(np.float32)]
        return np.stack(rows) if rows else np.empty((0, len(self.labels)), np.float32)

    def probabilities(self, features: Floats) -> Floats:
        """Return `(n, labels)` probabilities."""
        return to_probabilities(self.logits(features), self.exclusive)


def to_probabilities(logits: Floats, exclusive: bool) -> Floats:
    """Return what logits stand for: rows that sum to 1, or a probability for each label by itself."""
    if not exclusive:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def log_sum_exp(logits: Floats) -> Floats:
    """Return, for each row, how much evidence there is for any label at all."""
    largest = logits.max(axis=1, keepdims=True)
    return np.asarray((largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))[:, 0])


def save_linears(folder: Path, name: str, linears: Mapping[str, Linear], about: Mapping[str, Any]) -> None:
    """Write classifiers and what else is known of them as `name.npz` and `name.json`."""
    arrays = {f"{key}.weights": each.weights for key, each in linears.items()}
    arrays |= {f"{key}.bias": each.bias for key, each in linears.items()}
    np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)
    kinds = {key: {"labels": each.labels, "exclusive": each.exclusive} for key, each in linears.items()}
    text = json.dumps({"linears": kinds, "about": about}, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def load_linears(folder: Path, name: str, form: int) -> tuple[dict[str, Linear], dict[str, Any]]:
    """Return what `save_linears` wrote; `form` is what `about` must give as `format`.

    Raises:
        ConfigError: the files are missing, damaged, or of another format.
    """
    try:
        described = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with (folder / f"{name}.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            linears = {
                key: Linear(
                    tuple(kind["labels"]), arrays[f"{key}.weights"], arrays[f"{key}.bias"], bool(kind["exclusive"])
                )
                for key, kind in described["linears"].items()
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"the {name} heads of the model can't be read ({error}); train again") from error
    about = described["about"]
    if about.get("format") != form:
        raise ConfigError(
            f"the {name} heads of the model are of another version of Frontdesk; train again: frontdesk train"
        )
    return linears, about
