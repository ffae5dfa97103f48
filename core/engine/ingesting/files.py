"""The image files of a data set: which bytes each name stands for, and when that changes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ig4.core.chunks import chunks
from ig4.core.files.images.decode import ImageError, inspect
from ig4.core.files.images.files import PostponedImageError, digest, open_image
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.remote.credentials import record_name
from ig4.core.files.remote.fetching import fetchers
from ig4.core.files.remote.images import doubt, last_sha256, last_state, permission
from ig4.core.files.writing.atomic import make_folder, rename
from ig4.core.records import ImagePart
from ig4.core.secrets import redact
from ig4.core.texts import sanitize
from ig4.storage import datasets
from ig4.storage.datasets import FileRow, ImageName

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.ingesting.paths import ImageRoots
    from ig4.core.engine.session import Session

_CHUNK = 10_000
_FETCHING = 32  # images at a time: their servers take the time
_TOLD = 100
_LOOKED_AT = 32


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
    part: str | None = None


class _Location(NamedTuple):
    """Where an image is: a path or an address, and its place in that; or why it is nowhere."""

    path: str | None
    part: str | None = None
    problem: str | None = None


class ImageFileIndex:
    """Keeps the table of a data set's image files true to the disk.

    `origin` says what a path that a format names is in truth (see `Place`). With `refetch` what
    lies elsewhere is fetched again, whatever the cache has; `tell` gets how far fetching is.
    """

    def __init__(
        self,
        session: Session,
        dataset_id: int,
        roots: ImageRoots,
        *,
        origin: Callable[[str], str] = str,
        refetch: bool = False,
        tell: Callable[[str], object] = len,
    ) -> None:
        self.session = session
        self.dataset_id = dataset_id
        self.roots = roots
        self.origin = origin
        self.refetch = refetch
        self.tell = tell
        self._parts: dict[ImageName, ImagePart] = {}
        self._times: dict[str, int | None] = {}
        self._store = Path(os.path.realpath(session.store.image_folder))
        self._places = tuple(
            root.rstrip(os.sep) + os.sep for root in (*roots.real, str(self._store))
        )
        self.unreadable: dict[str, list[str]] = defaultdict(list)
        self.changed: set[ImageName] = set()
        """Those that were known, and hold other bytes now."""

    def name_of(self, image: str | bytes | ImagePart) -> ImageName:
        """Return the name an image goes by; bytes are first put beside the database."""
        if isinstance(image, ImagePart):
            name = ImageName(sanitize(image.name), embedded=True)
            self._parts.setdefault(name, image._replace(file=self.origin(image.file)))
            return name
        if isinstance(image, str):
            text = sanitize(image)
            return ImageName(record_name(text) if "://" in text else text)
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
            before = {name: known[name].sha256 for name in stale if name in known}
            with self.session.store.writing() as connection:
                _put(connection, self.dataset_id, states)
                known.update(datasets.find_files(connection, self.dataset_id, stale))
            self.changed |= {name for name, one in before.items() if known[name].sha256 != one}
        for name in wanted:
            self._parts.pop(name, None)
        return known

    def refresh(self, changed: Callable[[Connection, Sequence[int]], None]) -> int:
        """Look at all files again; returns how many hold other bytes now.

        `changed` gets their ids in the transaction that records the change. Were it a later one, a
        kill in between would leave samples with the scores of images they no longer show.
        """
        with self.session.store.reading() as connection:
            rows = list(datasets.list_files(connection, self.dataset_id))
        for row in rows:
            if row.part is not None and row.path is not None:
                self._parts[row.name] = ImagePart(row.path, row.part, row.name.name)
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

    def _locate(self, name: ImageName) -> _Location:
        part = self._parts.get(name)
        if part is not None:
            return _Location(part.file, part.place)
        if name.embedded:
            return _Location(str(self._embedded_path(name.name.removeprefix("sha256:"))))
        path, problem = self.roots.locate(name.name)
        return _Location(path, problem=problem)

    def _is_same(self, name: ImageName, row: FileRow | None) -> bool:
        """Tell whether a name means the file of a row, and this did not change."""
        if row is None or self._locate(name)[:2] != (row.path, row.part):
            return False
        return self._is_current(name, row)

    def _is_current(self, name: ImageName, row: FileRow) -> bool:
        if row.sha256 is not None and row.width is None:
            return False  # ig4 once took any bytes for an image
        path = row.path
        if path is None:
            return self._locate(name).path is None
        if is_address(path):
            return self._is_as_fetched(path, row)
        if not path.startswith(self._places):
            return False  # the data set or its --image-root is elsewhere now
        if row.part is not None:
            return self._time_of(path) == row.mtime_ns
        try:
            status = os.stat(path)  # noqa: PTH116 - a million of them in a second run
        except (OSError, ValueError):
            return row.size is None
        return (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)

    def _is_as_fetched(self, address: str, row: FileRow) -> bool:
        """Tell whether nobody saw anything else at an address: it is not asked for again.

        What could not be had for a while, or is not under these settings, is tried again, what is
        gone or no image is not. The parts of a file are what they were as long as that is.
        """
        if self.refetch or permission(address, self.roots.real) is None:
            return False
        if row.mtime_ns is None:
            return False
        if row.part is not None:
            return self._state_of_far(address) in (None, row.mtime_ns)
        return row.sha256 is None or last_sha256(address) in (None, row.sha256)

    def _state_of_far(self, address: str) -> int | None:
        """Return the state of a file elsewhere that has many images in it, looked at once."""
        if address not in self._times:
            self._times[address] = last_state(address)
        return self._times[address]

    def _time_of(self, path: str) -> int | None:
        """Return the time of a file that has many images in it, looked at once."""
        if path not in self._times:
            try:
                self._times[path] = os.stat(path).st_mtime_ns  # noqa: PTH116 - on strings
            except (OSError, ValueError):
                self._times[path] = None
        return self._times[path]

    def _read(self, names: list[ImageName]) -> list[_FileState]:
        located = {name: self._locate(name) for name in names}
        far = sum(is_address(where.path or "") for where in located.values())
        usual = min(8, (os.cpu_count() or 1) * 2)
        threads = _FETCHING if far and self._must_wait(located.values()) else usual
        states: list[_FileState] = []
        with fetchers(threads) as pool:
            for state in pool.map(self._state, located, located.values()):
                states.append(state)
                if far and len(states) % _TOLD == 0:
                    self.tell(f"{len(states):,} of {len(names):,} images fetched")
        if far:
            self.tell("")
        for state in states:
            if state.problem:  # by its kind: what it says, whatever the name
                self.unreadable[state.problem.replace(state.name.name, "")].append(state.problem)
        return states

    def _must_wait(self, located: Iterable[_Location]) -> bool:
        """Tell whether servers have to be waited for: some of the first images are not kept."""
        first = islice((where for where in located if is_address(where.path or "")), _LOOKED_AT)
        return self.refetch or any(last_sha256(where.path or "") is None for where in first)

    def _state(self, name: ImageName, where: _Location) -> _FileState:
        """Read one image; a file that may not be read is not known by any path."""
        path, part, refused = where
        if path is None:
            return _FileState(name, None, problem=refused)
        shown = name.name
        if is_address(path):
            return self._fetched_state(name, path, part)
        beside = name.embedded and part is None
        roots = (str(self._store),) if beside else self.roots.real
        try:
            with open_image(path, roots, shown, part) as file:
                state = _state_of(name, path, file, beside=beside)
        except PostponedImageError as error:
            return _FileState(name, path, problem=str(error), part=part)
        except ImageError as error:
            state = _FileState(name, path, problem=str(error))
        if part is None:
            return state
        return replace(state, part=part, mtime_ns=self._time_of(path))

    def _fetched_state(self, name: ImageName, address: str, part: str | None) -> _FileState:
        """Fetch one image; the time of one that may be had later is None."""
        shown = redact(name.name)
        known = 0 if part is None else last_state(address) or 0
        if self.refetch and part is None:
            doubt(address)
        try:
            with open_image(address, self.roots.real, shown, part) as file:
                state = _state_of(name, address, file, beside=False)
        except PostponedImageError as error:
            return _FileState(name, address, problem=str(error), part=part)
        except ImageError as error:
            return _FileState(name, address, None, known, problem=str(error), part=part)
        if state.problem is not None:
            state = replace(state, size=None)
        return replace(state, part=part, mtime_ns=known)


def _state_of(name: ImageName, path: str, file: BinaryIO, *, beside: bool) -> _FileState:
    found = digest(file)
    size, mtime_ns = found.size, found.mtime_ns
    if not found.count:
        problem = f"{name.name}: the image file is empty"
        return _FileState(name, path, size, mtime_ns, problem=problem)
    if beside and name.name != f"sha256:{found.sha256}":
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
         ids.get(state.sha256 or ""), state.problem, state.part)
        for state in states
    ]  # fmt: skip
    datasets.put_files(connection, rows)
