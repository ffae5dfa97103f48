"""What may be opened of files that data names, while somebody changes what the names mean."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import contextmanager

import pytest

from ig4.core.files import opening
from ig4.core.files.opening import (
    PIECE,
    LargeFileError,
    OutsideFileError,
    RefusedFileError,
    open_beneath,
    open_file,
    pieces,
    read_bounded,
    real_roots,
)

INSIDE, SECRET = b"inside", b"secret"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


@pytest.fixture
def place(tmp_path):
    """A folder `data` with images, a folder `shared` beside it, and a file outside of both."""
    for name in ("data/image/1.jpg", "shared/2.jpg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(INSIDE)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.jpg").write_bytes(SECRET)
    return tmp_path


@pytest.fixture(params=["walked", "looked at twice"])
def way(request, monkeypatch):
    """Both ways to open a file: folder by folder, and that of systems which cannot do so."""
    monkeypatch.setattr(opening, "_WALKS", request.param == "walked")


def read(path, *roots, limit=1 << 20):
    with open_beneath(path, real_roots(roots)) as file:
        return read_bounded(file, limit)


@pytest.mark.usefixtures("way")
def test_a_file_below_the_folder_is_read(place):
    assert read(place / "data/image/1.jpg", place / "data") == INSIDE
    assert read(f"{place}/data/./image//1.jpg", place / "data") == INSIDE


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["outside/1.jpg", "data/../outside/1.jpg", "data2/1.jpg"])
def test_a_file_elsewhere_is_refused(place, name):
    (place / "data2").mkdir()
    (place / "data2" / "1.jpg").write_bytes(SECRET)
    with pytest.raises(OutsideFileError):
        read(place / name, place / "data")


def test_without_any_folder_nothing_is_read(place):
    with pytest.raises(OutsideFileError):
        read(place / "data/image/1.jpg")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("target", ["../../outside/1.jpg", "chain"])
def test_a_link_to_a_file_elsewhere_is_refused(place, target):
    (place / "data/image/chain").symlink_to(place / "outside/1.jpg")
    (place / "data/image/link.jpg").symlink_to(target)
    with pytest.raises(OutsideFileError):
        read(place / "data/image/link.jpg", place / "data")


@pytest.mark.usefixtures("way")
def test_a_folder_that_is_a_link_elsewhere_is_refused(place):
    (place / "data/album").symlink_to(place / "outside")
    with pytest.raises(OutsideFileError):
        read(place / "data/album/1.jpg", place / "data")


@pytest.mark.usefixtures("way")
def test_links_are_followed_within_the_folders_allowed(place):
    (place / "data/copy.jpg").symlink_to("image/1.jpg")
    (place / "data/album").symlink_to("image")
    (place / "data/more").symlink_to(place / "shared")
    assert read(place / "data/copy.jpg", place / "data") == INSIDE
    assert read(place / "data/album/1.jpg", place / "data") == INSIDE
    assert read(place / "data/more/2.jpg", place / "data", place / "shared") == INSIDE


@pytest.mark.usefixtures("way")
def test_the_folder_itself_may_be_a_link_as_its_user_named_it(place):
    (place / "named").symlink_to("data")
    assert read(place / "named/image/1.jpg", place / "named") == INSIDE


@pytest.mark.usefixtures("way")
def test_links_in_a_circle_and_to_nothing_are_errors(place):
    (place / "data/a").symlink_to("b")
    (place / "data/b").symlink_to("a")
    (place / "data/c").symlink_to("nothing")
    with pytest.raises(OSError, match=r"circle|Too many levels"):
        read(place / "data/a", place / "data")
    with pytest.raises(FileNotFoundError):
        read(place / "data/c", place / "data")
    with pytest.raises(NotADirectoryError):
        read(place / "data/image/1.jpg/2.jpg", place / "data")


def special(folder, kind):
    """Make a file that is none."""
    path = folder / kind
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(os.path.relpath(path))  # a socket's path must be short
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device"])
def test_what_is_no_file_is_refused_in_words_and_waited_for_by_nobody(place, kind):
    path = special(place / "data", kind)
    with pytest.raises(RefusedFileError, match=f"{kind}, not a file"):
        read(path, place / "data", "/dev")
    with pytest.raises(RefusedFileError, match=f"{kind}, not a file"):
        open_file(path)


@pytest.mark.usefixtures("way")
def test_a_folder_is_no_file(place):
    with pytest.raises(IsADirectoryError):
        read(place / "data/image", place / "data")
    with pytest.raises(IsADirectoryError):
        open_file(place / "data")


def test_a_file_over_the_limit_is_refused_before_it_is_read(place):
    path = place / "data/huge.jpg"
    with path.open("wb") as file:
        file.truncate(30 << 30)  # 30 GB of nothing, which take no room
    with pytest.raises(LargeFileError, match="larger than 1,048,576 bytes"):
        read(path, place / "data")
    assert read(place / "data/image/1.jpg", place / "data", limit=len(INSIDE)) == INSIDE


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_limit(place):
    path = place / "data/image/1.jpg"
    with open_file(path) as file, path.open("ab", buffering=0) as writer:
        writer.write(b"x" * 10)
        assert read_bounded(file, 100) == INSIDE + b"x" * 10
    path.write_bytes(bytes(PIECE))
    with open_file(path) as file, path.open("ab", buffering=0) as writer:
        opened = pieces(file, PIECE + 100)
        assert len(next(opened)) == PIECE
        writer.write(b"x" * 101)
        with pytest.raises(LargeFileError):
            list(opened)


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_swapped_in_while_files_are_read_is_never_followed(place, swapped):
    """A thread swaps a name as fast as it can: 3,000 reads see what is inside, or fail."""
    data = place / "data"
    name = "image/1.jpg" if swapped == "file" else "image"
    outside = place / "outside" if swapped == "folder" else place / "outside/1.jpg"
    seen = {INSIDE: 0, SECRET: 0, None: 0}
    with swapping(data / name, outside):
        for _ in range(3000):
            try:
                seen[read(data / "image/1.jpg", data)] += 1
            except OSError:
                seen[None] += 1
    assert seen[SECRET] == 0
    assert seen[INSIDE] > 0
    assert seen[None] > 0  # the swaps were met


@contextmanager
def swapping(entry, outside):
    """Put a link to `outside` in the place of an entry, and the entry back, again and again."""
    link, kept = entry.with_name("link"), entry.with_name("kept")
    over = threading.Event()

    def swap():
        while not over.is_set():
            link.symlink_to(outside)
            entry.rename(kept)
            link.rename(entry)
            entry.unlink()
            kept.rename(entry)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
