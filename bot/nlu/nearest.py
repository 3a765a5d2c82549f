"""What the examples most like a text say of its label, beside what a linear classifier learnt from all of them.

A phrase that was taught is found again when it is said in the same words.

Source: kernel density of each label, in the log-linear way of a product of experts (Hinton 2002).
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.nlu.linear import Floats

FILE = "nearest.npz"
WEIGHT = 0.3
"""How much it counts beside uncalibrated logits of a classifier. Source: best of 0.3, 0.4 and 0.5 on
nlu_data/golden/intents.yml (87.9, 87.6 and 87.5 % of what is in scope, 86.6 without); CLINC150 and BANKING77 (96.4 and
92.9 %, 96.4 and 92.4 without) differ by less than 0.1 points."""

_REACH = 0.03
"""The difference of cosines that makes an example count e times less. Source: best of 0.02, 0.03 and 0.05, on
nlu_data/golden/intents.yml 87.3, 87.9 and 87.2 %, BANKING77 92.9, 92.9 and 92.7 %, CLINC150 96.4 % each."""
AXES = 256
"""Principal axes along which texts are compared, of some 700 features: a third of the time. Source: BANKING77, CLINC150
and nlu_data/golden/intents.yml, all within 0.2 points of what all features give."""
_FAINTEST = 1e-12
"""What counts for a label none of whose examples is near."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """Examples whose label is known.

    `axes` `(features, axes) float32` lead from features to where texts are compared; `rows` is `(examples, axes)
    float32`, each of about length 1; `places` `(examples,)` says which of so many `labels` each one has.
    """

    axes: Floats
    rows: Floats
    places: NDArray[np.int64]
    labels: int
    weight: float = WEIGHT

    @classmethod
    def of(cls, features: Floats, targets: Floats) -> "Nearest":
        """Return examples with `(n, features)`, and a 1 at the place of each one's label in `(n, labels)`."""
        rows = _unit(features)
        _, axes = np.linalg.eigh(rows.T @ rows)
        axes = np.ascontiguousarray(axes[:, ::-1][:, :AXES])
        return cls(axes, rows @ axes, targets.argmax(axis=1), targets.shape[1])

    def evidence(self, features: Floats) -> Floats:
        """Return `(n, labels) float32` for `(n, features)`, to be added to logits."""
        found = np.empty((len(features), self.labels), np.float32)
        for place, row in enumerate(_unit(features)):
            # Not `@`: two threads of one small product wait for each other on a busy machine, up to 15 ms.
            cosines = np.einsum("ij,j->i", self.rows, row @ self.axes)
            near = np.bincount(self.places, np.exp((cosines - 1) / _REACH), minlength=self.labels)
            found[place] = self.weight * np.log(near + _FAINTEST)
        return found

    def held_back(self, folds: Sequence[NDArray[np.int64]]) -> Floats:
        """Return the evidence for each example, of those alone that are in other folds than it."""
        found = np.empty((len(self.rows), self.labels), np.float32)
        labels = np.eye(self.labels, dtype=np.float32)[self.places]
        for part in folds:
            rest = np.setdiff1d(np.arange(len(self.rows)), part)
            near = np.exp((self.rows[part] @ self.rows[rest].T - 1) / np.float32(_REACH)) @ labels[rest]
            found[part] = self.weight * np.log(near + _FAINTEST)
        return found

    def save(self, folder: Path) -> None:
        """Write the examples into a folder."""
        arrays: dict[str, Any] = {"axes": self.axes, "rows": self.rows, "places": self.places, "labels": self.labels}
        np.savez(folder / FILE, allow_pickle=False, **arrays, weight=self.weight)

    @classmethod
    def load(cls, folder: Path) -> "Nearest":
        """Read what `save` wrote.

        Raises:
            ConfigError: the file is missing or damaged.
        """
        try:
            with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                axes, rows, places = (arrays[name] for name in ("axes", "rows", "places"))
                return cls(axes, rows, places, int(arrays["labels"]), float(arrays["weight"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(f"the examples of the model can't be read ({error}); train again") from error


def _unit(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)
