"""Which trained model answers customers: one small file in the folder of models, changed in one step.

`live.json` holds every model that was live, the present one last, and the candidate that was trained last. A model that
it does not name is never served, however new it is.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bot.conversation.errors import ConfigError, Conflict, NotFound
from bot.whole_files import replace_files

LIVE = "live.json"
SUFFIX = ".tar.gz"
REMEMBERED = 20
"""How many models back a rollback can go."""


class How(StrEnum):
    """How a model became live."""

    TRAINED = "trained"
    PROMOTED = "promoted"


class Served(BaseModel):
    """A model that is or was live, since when, and how it came to that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(pattern=r"^[^/\\]+\.tar\.gz$")
    at: AwareDatetime
    how: How


class Standing(BaseModel):
    """What `live.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    served: tuple[Served, ...] = ()
    candidate: str | None = None

    @property
    def live(self) -> Served | None:
        """The model that is live."""
        return self.served[-1] if self.served else None


class Registry:
    """The models of a folder. Every change is one rename, and two that change at once wait for each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / LIVE

    def standing(self) -> Standing:
        """Return which model is live, which were, and which is the candidate.

        Raises:
            ConfigError: the file can't be read.
        """
        try:
            return Standing.model_validate_json(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Standing()
        except (OSError, ValidationError, UnicodeDecodeError):
            raise ConfigError(f"{self.file} is damaged; remove it, then: frontdesk train") from None

    def live(self) -> Path | None:
        """Return the file of the live model, None if no model was ever made live.

        Raises:
            ConfigError: the file is gone, or nobody can say which it is.
        """
        served = self.standing().live
        if served is None:
            return None
        path = self.folder / served.model
        if not path.is_file():
            raise ConfigError(f"the live model {path} is gone; bring it back, or: frontdesk rollback, frontdesk train")
        return path

    def require_live(self) -> Path:
        """Return the file of the live model.

        Raises:
            ConfigError: there is none.
        """
        model = self.live()
        if model is None:
            raise ConfigError(f"there is no trained assistant in {self.folder}; make one: frontdesk train")
        return model

    def find(self, name: str | Path) -> Path:
        """Return the file of a model that is given by its path, its file name or its name.

        Raises:
            NotFound: there is no such model in the folder.
        """
        given = Path(name)
        path = self.folder / (given.name.removesuffix(SUFFIX) + SUFFIX)
        if not path.is_file() or (given.parent != Path() and given.resolve() != path.resolve()):
            raise NotFound(f"there is no model {name} in {self.folder}; see them with: frontdesk models")
        return path

    def models(self) -> list[Path]:
        """Return the files of all models, the newest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: (-path.stat().st_mtime, path.name))

    def make_live(self, model: Path, how: How, now: datetime, instead_of: str | None = None) -> None:
        """Let a model answer from now on; nothing changes if it does already.

        Args:
            model: a file of the folder.
            how: how it came to that.
            now: when.
            instead_of: the file name of the model that must be live until now, if that matters.

        Raises:
            Conflict: another model became live meanwhile.
        """
        with self._changing() as standing:
            live = standing.live.model if standing.live else None
            if instead_of is not None and live != instead_of:
                raise Conflict(f"{live} became live meanwhile; evaluate against it")
            served = standing.served
            if live != model.name:
                served = (*served, Served(model=model.name, at=now, how=how))[-REMEMBERED:]
            candidate = None if standing.candidate == model.name else standing.candidate
            self._write(Standing(served=served, candidate=candidate))

    def nominate(self, model: Path) -> None:
        """Remember a model as the candidate; it does not answer customers."""
        with self._changing() as standing:
            self._write(standing.model_copy(update={"candidate": model.name}))

    def roll_back(self, check: Callable[[Path], None] | None = None) -> tuple[Path, Path]:
        """Let the model answer that was live before, and return the files of the one that was live and of that one.

        Args:
            check: raises what it wants if that model can't be used; nothing changes then.

        Raises:
            NotFound: no model was live before, or its file is gone.
        """
        with self._changing() as standing:
            if len(standing.served) < 2:
                raise NotFound("no other model was live before; there is nothing to go back to")
            last, before = (self.folder / standing.served[place].model for place in (-1, -2))
            if not before.is_file():
                raise NotFound(f"the model {before} that was live before is gone; train or promote another")
            if check:
                check(before)
            self._write(standing.model_copy(update={"served": standing.served[:-1]}))
        return last, before

    @contextmanager
    def _changing(self) -> Iterator[Standing]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self.standing()
        finally:
            os.close(descriptor)

    def _write(self, standing: Standing) -> None:
        replace_files({self.file: standing.model_dump_json(indent=2) + "\n"})
