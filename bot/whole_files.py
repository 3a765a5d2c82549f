"""Files and folders that are written as a whole: whoever reads one finds what it was or what it is, never a part."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def replace_files(texts: Mapping[Path, str]) -> None:
    """Give files new texts, each by one rename, and none before all are written; a file keeps its mode.

    Each is synced before its rename, which may reach the disk sooner than the text: a power cut would else leave an
    empty file in place of training data, of what says which model is live, or of how far a job is. The renames are not
    synced, so a power cut may leave the old texts.

    Raises:
        OSError: a file can't be written; no file was changed unless a rename failed.
    """
    fresh: dict[Path, Path] = {}
    try:
        for file, text in texts.items():
            new = file.with_name(f".{file.name}.new")
            with new.open("w", encoding="utf-8") as stream:
                fresh[file] = new
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            if file.exists():
                shutil.copymode(file, new)
        for file, new in fresh.items():
            new.replace(file)
    except OSError:
        for new in fresh.values():
            new.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `folder` by one rename at the end; if another process was first, its stays.

    Raises:
        OSError: it can't be written; nothing is left of it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        new = Path(scratch) / folder.name
        new.mkdir()
        yield new
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
