"""The image files of a data set: which bytes each name stands for, and when that changes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ig4.core.chunks import chunks
from ig4.core.files.images.decode import ImageError, inspect
from ig4.core.files.images.files import digest, open_image
from ig4.core.files.writing.atomic import make_folder, rename
from ig4.core.texts import sanitize
from ig4.storage import datasets
from ig4.storage.datasets import FileRow, ImageName

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.ingesting.paths import ImageRoots
    from ig4.core.engine.session import Session

_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class _FileState:
    """What a file held when it was read; `sha256` is None, with the problem, if unreadable."""

    name: ImageName
    path: str | None
    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None
    shape: tuple[int, int, str] | None = None
    problem: str | None = None


class ImageFileIndex:
    """Keeps the table of a data set's image files true to the disk."""

    def __init__(self, session: Session, dataset_id: int, roots: ImageRoots) -> None:
        self.session = session
        self.dataset_id = dataset_id
        self.roots = roots
        self._store = Path(os.path.realpath(session.store.image_folder))
        self._places = tuple(
            root.rstrip(os.sep) + os.sep for root in (*roots.real, str(self._store))
        )
        self.unreadable: dict[str, list[str]] = defaultdict(list)

    def name_of(self, image: str | bytes) -> ImageName:
        """Return the name an image goes by; bytes are first put beside the database."""
        if isinstance(image, str):
            return ImageName(sanitize(image))
        digest = hashlib.sha256(image).hexdigest()
        path = self._embedded_path(digest)
        if not _holds(path, len(image)):
            make_folder(path.parent)
            partial = path.with_name(f"{path.name}.{os.getpid()}.part")
            partial.write_bytes(image)
            rename(partial, path)
        return ImageName(f"sha256:{digest}", embedded=True)

    def current_rows(self, names: Iterable[ImageName]) -> Mapping[ImageName, FileRow]:
        """Return the rows of image files by name, reading those that are new or changed."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        with self.session.store.reading() as connection:
            known = datasets.find_files(connection, self.dataset_id, wanted)
        stale = [name for name in wanted if not self._is_same(name, known.get(name))]
        if stale:
            states = self._read(stale)
            with self.session.store.writing() as connection:
                _put(connection, self.dataset_id, states)
                known.update(datasets.find_files(connection, self.dataset_id, stale))
        return known

    def refresh(self, changed: Callable[[Connection, Sequence[int]], None]) -> int:
        """Look at all files again; returns how many hold other bytes now.

        `changed` gets their ids in the transaction that records the change. Were it a later one, a
        kill in between would leave samples with the scores of images they no longer show.
        """
        with self.session.store.reading() as connection:
            rows = list(datasets.list_files(connection, self.dataset_id))
        stale = {row.name: row for row in rows if not self._is_current(row.name, row)}
        if not stale:
            return 0
        states = self._read(list(stale))
        with self.session.store.writing() as connection:
            _put(connection, self.dataset_id, states)
            now = datasets.find_files(connection, self.dataset_id, list(stale))
            others = [row.id for name, row in now.items() if row.sha256 != stale[name].sha256]
            for file_ids in chunks(others, _CHUNK):
                changed(connection, file_ids)
        return len(others)

    def _embedded_path(self, digest: str) -> Path:
        return self._store / digest[:2] / digest

    def _locate(self, name: ImageName) -> tuple[str | None, str | None]:
        if name.embedded:
            return str(self._embedded_path(name.name.removeprefix("sha256:"))), None
        return self.roots.locate(name.name)

    def _is_same(self, name: ImageName, row: FileRow | None) -> bool:
        """Tell whether a name means the file of a row, and this did not change."""
        return row is not None and self._locate(name)[0] == row.path and self._is_current(name, row)

    def _is_current(self, name: ImageName, row: FileRow) -> bool:
        if row.sha256 is not None and row.width is None:
            return False  # ig4 once took any bytes for an image
        path = row.path
        if path is None:
            return self._locate(name)[0] is None
        if not path.startswith(self._places):
            return False  # the data set or its --image-root is elsewhere now
        try:
            status = os.stat(path)  # noqa: PTH116 - a million of them in a second run
        except (OSError, ValueError):
            return row.size is None
        return (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)

    def _read(self, names: list[ImageName]) -> list[_FileState]:
        with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) * 2)) as pool:
            states = list(pool.map(self._state, names))
        for state in states:
            if state.problem:  # by its kind: what it says, whatever the name
                self.unreadable[state.problem.replace(state.name.name, "")].append(state.problem)
        return states

    def _state(self, name: ImageName) -> _FileState:
        """Read one image; a file that may not be read is not known by any path."""
        path, refused = self._locate(name)
        if path is None:
            return _FileState(name, None, problem=refused)
        shown = name.name
        if shown.startswith(("http://", "https://")) and not os.path.lexists(path):
            problem = f"{shown}: the image is on the network: download it and give its path"
            return _FileState(name, path, problem=problem)
        roots = (str(self._store),) if name.embedded else self.roots.real
        try:
            with open_image(path, roots, shown) as file:
                return _state_of(name, path, file)
        except ImageError as error:
            return _FileState(name, path, problem=str(error))


def _state_of(name: ImageName, path: str, file: BinaryIO) -> _FileState:
    found = digest(file)
    size, mtime_ns = found.size, found.mtime_ns
    if not found.count:
        problem = f"{name.name}: the image file is empty"
        return _FileState(name, path, size, mtime_ns, problem=problem)
    if name.embedded and name.name != f"sha256:{found.sha256}":
        problem = f"{name.name}: its copy beside the database is damaged: delete {path}"
        return _FileState(name, path, size, mtime_ns, problem=problem)
    file.seek(0)
    try:
        shape = inspect(file, name.name)
    except ImageError as error:
        return _FileState(name, path, size, mtime_ns, problem=str(error))
    return _FileState(name, path, size, mtime_ns, found.sha256, shape)


def _holds(path: Path, size: int) -> bool:
    """Tell whether there is a file of this size, and no link in its place."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _put(connection: Connection, dataset_id: int, states: Sequence[_FileState]) -> None:
    images = [
        {
            "sha256": state.sha256,
            "bytes": state.size,
            "width": state.shape[0] if state.shape else None,
            "height": state.shape[1] if state.shape else None,
            "format": state.shape[2] if state.shape else None,
        }
        for state in states
        if state.sha256
    ]
    ids = datasets.image_ids(connection, images)
    rows = [
        (dataset_id, *state.name, state.path, state.size, state.mtime_ns,
         ids.get(state.sha256 or ""), state.problem)
        for state in states
    ]  # fmt: skip
    datasets.put_files(connection, rows)
