"""A file is replaced in one step: readers find the old one or the whole new one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.writing.atomic import copy, make_folder, replacing

LONG = 1 << 18
"""Bytes that no system writes in one go."""


@pytest.fixture
def target(tmp_path):
    """A file that says `old`, alone in its folder."""
    file = tmp_path / "folder" / "set.json"
    file.parent.mkdir()
    file.write_text("old")
    return file


def fail_in(target, error, write):
    with replacing(target) as partial:
        write(partial)
        raise error


def test_the_old_file_is_there_until_the_end_of_the_block(target):
    with replacing(target) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_it_is_made_beside_its_target_where_a_move_is_one_step(target):
    with replacing(target) as partial:
        partial.write_text("new")
        assert partial.parent == target.parent


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(target, error):
    with pytest.raises(type(error)):
        fail_in(target, error, lambda partial: partial.write_text("half of the n"))
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_no_part_of_a_new_folder_either(tmp_path):
    def write(partial):
        partial.mkdir()
        (partial / "one").write_text("1")

    with pytest.raises(ValueError, match="no"):
        fail_in(tmp_path / "new", ValueError("no"), write)
    assert list(tmp_path.iterdir()) == []


def test_who_has_opened_the_old_file_reads_it_to_its_end(target):
    with target.open("rb", buffering=0) as reader:
        assert reader.read(1) == b"o"
        with replacing(target) as partial:
            partial.write_text("new, and longer")
        assert reader.read() == b"ld"


def test_a_reader_never_finds_half_a_file_or_none(target):
    texts = [letter * LONG for letter in (b"a", b"b")]
    target.write_bytes(texts[0])
    found, done = set(), threading.Event()

    def read():
        while not done.is_set():
            try:
                found.add(target.read_bytes())
            except FileNotFoundError:
                found.add(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(300):
            with replacing(target) as partial:
                partial.write_bytes(texts[n % 2])
    finally:
        done.set()
        reader.join()
    assert found <= set(texts)
    assert found != set()


def test_missing_folders_are_made(tmp_path):
    with replacing(tmp_path / "a" / "b" / "set.json") as partial:
        partial.write_text("new")
    assert (tmp_path / "a" / "b" / "set.json").read_text() == "new"


def test_a_target_that_cannot_be_written_is_named(target):
    with (
        pytest.raises(DatasetError, match=r"set\.json.x\.json cannot be written"),
        replacing(target / "x.json"),
    ):
        pass
    with (
        pytest.raises(DatasetError, match="folder cannot be written"),
        replacing(target.parent) as partial,
    ):
        partial.write_text("new")
    assert list(target.parent.iterdir()) == [target]
    assert list(target.parent.parent.iterdir()) == [target.parent]


# A power cut


@pytest.fixture
def disk(monkeypatch):
    """What the system was told to write to the disk, and the renames, in order."""
    done = []
    names = {"sync": os.fsync, "rename": os.replace}

    def fsync(opened):
        done.append(("sync", os.fstat(opened).st_ino))
        names["sync"](opened)

    def replace(source, target, **more):
        done.append(("rename", Path(source).stat().st_ino))
        names["rename"](source, target, **more)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return done


def inode(path):
    return path.stat().st_ino


linux = pytest.mark.skipif(
    not hasattr(os, "fdatasync"), reason="another call flushes files, and no folders"
)


@linux
def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_end(target, disk):
    with replacing(target) as partial:
        partial.write_text("new")
    file, folder = inode(target), inode(target.parent)
    assert disk == [("sync", file), ("rename", file), ("sync", folder)]


@linux
def test_so_is_all_that_a_new_folder_holds(tmp_path, disk):
    with replacing(tmp_path / "set") as partial:
        (partial / "inner").mkdir(parents=True)
        (partial / "inner" / "rows").write_text("1")
        (partial / "link").symlink_to(tmp_path)
    made = tmp_path / "set"
    synced = [which for what, which in disk if what == "sync"]
    assert synced[:3] == [inode(made / "inner" / "rows"), inode(made / "inner"), inode(made)]
    assert synced[3:] == [inode(tmp_path)]


@linux
def test_folders_that_are_made_and_files_that_are_copied_last_as_well(tmp_path, disk):
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    assert disk == [("sync", inode(tmp_path)), ("sync", inode(tmp_path / "a"))]
    (tmp_path / "source").write_text("x")
    disk.clear()
    copy(tmp_path / "source", folder / "copy")
    assert disk == [("sync", inode(folder / "copy")), ("sync", inode(folder))]
    make_folder(folder)
    assert len(disk) == 2
