"""Files and folders change as a whole or not at all."""

from pathlib import Path

import pytest

from bot.whole_files import new_folder, replace_files


def test_files_get_new_texts_and_keep_their_modes(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yml", tmp_path / "new.yml"
    old.write_text("a")
    old.chmod(0o640)
    replace_files({old: "b", new: "ü"})
    assert (old.read_text(), new.read_text("utf-8")) == ("b", "ü")
    assert old.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"old.yml", "new.yml"}


def test_none_is_changed_if_one_cannot_be_written(tmp_path: Path) -> None:
    good, file = tmp_path / "good.yml", tmp_path / "file"
    good.write_text("a")
    file.write_text("no folder")
    with pytest.raises(NotADirectoryError):
        replace_files({good: "b", file / "bad.yml": "b"})
    assert good.read_text() == "a"
    assert {path.name for path in tmp_path.iterdir()} == {"good.yml", "file"}


def test_a_folder_is_there_when_it_is_full(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "heads"
    with new_folder(folder) as new:
        (new / "a").write_text("whole")
        assert not folder.exists()
    assert (folder / "a").read_text() == "whole"
    assert [path.name for path in folder.parent.iterdir()] == ["heads"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with new_folder(tmp_path / "heads") as new:
            (new / "a").write_text("half")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_who_fills_a_folder_second_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    with new_folder(folder) as new:
        (new / "a").write_text("second")
        folder.mkdir()
        (folder / "a").write_text("first")
    assert (folder / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["heads"]
