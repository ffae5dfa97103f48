"""The image files of a data set: which bytes each name stands for, and when that changes."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.chunks import chunks
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.files.atomic import make_folder, rename
from ig4.core.files.images import measure
from ig4.storage import datasets
from ig4.storage.datasets import FileRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.ingesting.paths import ImageRoots
    from ig4.core.engine.session import Session

EMBEDDED = "sha256:"
"""The name of an image that came inside the data set starts so."""
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class _FileState:
    """What a file held when it was read; `sha256` is None, with the problem, if unreadable."""

    name: str
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
        self.unreadable: list[str] = []

    def name_of(self, image: str | bytes) -> str:
        """Return the name an image goes by; bytes are first put beside the database."""
        if isinstance(image, str):
            return sanitize(image)
        digest = hashlib.sha256(image).hexdigest()
        path = self._embedded_path(digest)
        if not path.exists():
            make_folder(path.parent)
            partial = path.with_name(f"{path.name}.{os.getpid()}.part")
            partial.write_bytes(image)
            rename(partial, path)
        return EMBEDDED + digest

    def current_rows(self, names: Iterable[str]) -> Mapping[str, FileRow]:
        """Return the rows of image files by name, reading those that are new or changed."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        with self.session.store.reading() as connection:
            known = datasets.find_files(connection, self.dataset_id, wanted)
        stale = [name for name in wanted if not self._is_current(name, known.get(name))]
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
        return self.session.store.image_folder / digest[:2] / digest

    def _locate(self, name: str) -> tuple[str | None, str | None]:
        if name.startswith(EMBEDDED):
            return str(self._embedded_path(name.removeprefix(EMBEDDED))), None
        return self.roots.locate(name)

    def _is_current(self, name: str, row: FileRow | None) -> bool:
        if row is None:
            return False
        path = row.path
        if path is None:
            return self._locate(name)[0] is None
        try:
            status = os.stat(path)  # noqa: PTH116 - a million of them in a second run
        except (OSError, ValueError):
            return row.size is None
        return (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)

    def _read(self, names: list[str]) -> list[_FileState]:
        states = []
        present = []
        for name in names:
            path, refused = self._locate(name)
            if path is None or not os.path.lexists(path):
                states.append(_FileState(name, path, problem=refused or _missing(name)))
            else:
                present.append((name, path))
        if present:
            with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) * 2)) as pool:
                states += pool.map(lambda place: _read_state(*place), present)
        self.unreadable += [state.problem for state in states if state.problem]
        return states


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
        (dataset_id, state.name, state.path, state.size, state.mtime_ns,
         ids.get(state.sha256 or ""), state.problem)
        for state in states
    ]  # fmt: skip
    datasets.put_files(connection, rows)


def _missing(name: str) -> str:
    if name.startswith(("http://", "https://")):
        return f"{name}: the image is on the network: download it and give its path"
    return f"{name}: the image file is missing"


def _read_state(name: str, path: str) -> _FileState:
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read()
    except FileNotFoundError:
        return _FileState(name, path, problem=_missing(name))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return _FileState(name, path, problem=f"{name}: the image cannot be read ({reason})")
    size, mtime_ns = status.st_size, status.st_mtime_ns
    if not data:
        problem = f"{name}: the image file is empty"
        return _FileState(name, path, size, mtime_ns, problem=problem)
    digest = hashlib.sha256(data).hexdigest()
    return _FileState(name, path, size, mtime_ns, digest, measure(io.BytesIO(data)))
