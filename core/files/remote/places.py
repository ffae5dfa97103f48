"""Where a data set lies: a path, or a view of files that lie elsewhere under their own names.

Formats know paths. For a data set at an address, or one that a pattern names, they are given a
folder with the names and sizes of its files and nothing in them; `open_file` gives what belongs
there, fetched when it is opened.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ig4.core.errors import DatasetError, Ig4Error, UsageError
from ig4.core.files.opening import open_file, shown_as
from ig4.core.files.patterns import (
    is_local_pattern,
    local_files,
    named_together,
    refuse_missing,
)
from ig4.core.files.reading.compressed import DATA_SUFFIXES, data_stem, data_suffix
from ig4.core.files.remote import stores, web
from ig4.core.files.remote.addresses import (
    expanded,
    folder_of,
    has_glob,
    has_pattern,
    is_address,
    is_web,
    name_of,
)
from ig4.core.files.remote.cache import Named
from ig4.core.files.remote.credentials import share_user
from ig4.core.files.remote.errors import RemoteFileError
from ig4.core.files.remote.fetching import STORE_TRIES, fetched_file, open_named, tried
from ig4.core.files.writing.names import IMAGE_SUFFIXES, is_safe_path

_MOST_FILES = 100_000


class Place(Protocol):
    """Where a data set lies: `path` is what formats are given, `text` what the user calls it."""

    @property
    def path(self) -> Path:
        """The file or folder that formats read."""

    @property
    def text(self) -> str:
        """The address, pattern or path."""

    def origin(self, path: str) -> str:
        """Return what a path that a format names is in truth: an address, or a path."""

    def state(self, file: Path) -> tuple[str, int, int | str]:
        """Return what a file is in truth, its bytes, and what tells it from an earlier one."""

    def told(self, text: str) -> str:
        """Return a message with the true names of files."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file or folder of this machine."""

    path: Path

    @property
    def text(self) -> str:
        """See `Place.text`."""
        return str(self.path)

    def origin(self, path: str) -> str:
        """See `Place.origin`."""
        return path

    def state(self, file: Path) -> tuple[str, int, int | str]:
        """See `Place.state`."""
        status = file.stat()
        return str(file), status.st_size, status.st_mtime_ns

    def told(self, text: str) -> str:
        """See `Place.told`."""
        return text


@dataclass(slots=True)
class _ViewedFile:
    """A file of a view; `kept` is what the cache has of it, once it was fetched or found there."""

    origin: str
    size: int
    version: str
    kept: Named | None = None


@dataclass(slots=True)
class FileView:
    """A folder with the names of files that lie elsewhere, below `base`."""

    text: str
    base: str
    folder: Path
    path: Path = field(default_factory=Path)
    files: dict[str, _ViewedFile] = field(default_factory=dict)

    def add(self, name: str, origin: str, size: int | None, version: str | None) -> None:
        """Show a file under a name; without a size and a version it is fetched now.

        Raises:
            DatasetError: the name is none, or another file has it, or the file is too large.
            RemoteFileError: it cannot be had.
        """
        if not is_safe_path(name):
            raise DatasetError(f"{origin}: no file can be called {name!r} here")
        path = self.folder / name
        if str(path) in self.files:
            raise DatasetError(f"{origin}: another file is called {name} already: name one of them")
        kept = None
        if size is None or version is None:  # what the cache has may be of long ago
            kept = fetched_file(origin, None, size)
            size, version = kept.size, kept.version or kept.sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        try:
            os.truncate(path, size)  # without a byte on the disk
        except (OSError, OverflowError):
            raise DatasetError(
                f"{origin} cannot be read: it says that it has {size:,} bytes, which is more than "
                "a file can have"
            ) from None
        self.files[str(path)] = _ViewedFile(origin, size, version, kept)

    def open(self, path: str) -> BufferedReader:
        """Open what a path of the view stands for."""
        found = self.files.get(path)
        if found is None:
            raise FileNotFoundError(2, os.strerror(2), path)
        if not is_address(found.origin):
            return open_file(found.origin)
        if found.kept is None:  # of the version that the server tells when it is asked for the file
            found.kept = fetched_file(found.origin, found.version, found.size)
        return open_named(found.origin, found.kept)

    def origin(self, path: str) -> str:
        """See `Place.origin`."""
        found = self.files.get(path)
        if found is not None:
            return found.origin
        below = os.path.relpath(path, self.folder)
        return self.base if below == "." else f"{self.base.rstrip('/')}/{below}"

    def state(self, file: Path) -> tuple[str, int, int | str]:
        """See `Place.state`."""
        found = self.files[str(file)]
        return found.origin, found.size, found.version

    def told(self, text: str) -> str:
        """See `Place.told`."""
        return text.replace(str(self.folder), self.base)


@contextmanager
def opened_place(place: Path | str) -> Iterator[Place]:
    """Yield where a data set lies: at a path, at an address, or where a pattern says.

    Errors of the block name files as the user knows them.

    Raises:
        DatasetError: nothing is there, or it cannot be had.
        MissingExtraError: the libraries that read it are missing.
    """
    text = str(place)
    if not is_address(text):
        path = Path(place).expanduser().absolute()
        if not is_local_pattern(str(path)):
            yield LocalPlace(path)
            return
        text = str(path)
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="ig4-view-")))
    try:
        view = _view(text, folder)
        with ExitStack() as stack:
            stack.enter_context(_truly_named(view))
            stack.enter_context(shown_as(str(folder), view.open))
            if view.path == folder and (has_pattern(text) or has_glob(text)):
                stack.enter_context(named_together(folder, [Path(one) for one in view.files]))
            yield view
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _truly_named(view: FileView) -> Iterator[None]:
    try:
        yield
    except Ig4Error as error:
        error.args = tuple(view.told(one) if isinstance(one, str) else one for one in error.args)
        raise


def _view(text: str, folder: Path) -> FileView:
    try:
        if not is_address(text):
            return _local_view(text, folder)
        return _web_view(text, folder) if is_web(text) else _store_view(text, folder)
    except RemoteFileError as error:
        raise DatasetError(f"{text} cannot be read: {error.strerror}") from None


def _local_view(text: str, folder: Path) -> FileView:
    paths = local_files(text)
    _require_few(text, len(paths))
    base = os.path.commonpath([one.parent for one in paths])
    view = FileView(text, base, folder)
    for path in paths:
        status = path.stat()
        name = path.relative_to(base).as_posix()
        view.add(name, str(path), status.st_size, str(status.st_mtime_ns))
    return _pointed(view)


def _web_view(text: str, folder: Path) -> FileView:
    addresses = expanded(text)
    base = _common_folder(addresses)
    view = FileView(text, base, folder)
    seen: list[tuple[int | None, str | None]] = []
    missing: list[str] = []
    for address in addresses:
        share_user(address, folder_of(address))
        if address.partition("?")[0].endswith("/"):
            raise UsageError(
                f"{text} is a folder of the web, whose files nobody lists: name a file, or a "
                "pattern such as {000..012}.tar"
            )
        try:
            seen.append(_looked_at(address))
        except RemoteFileError as error:
            if len(addresses) == 1 or not _is_gone(error):
                raise
            missing.append(address)
    refuse_missing(text, missing, len(addresses))
    for address, name, known in zip(addresses, _names_below(addresses, base), seen, strict=True):
        view.add(name, address, *known)
    return _pointed(view)


def _is_gone(error: RemoteFileError) -> bool:
    return any(f"answers {code}" in str(error.strerror) for code in (404, 410))


def _require_few(text: str, count: int) -> None:
    if count > _MOST_FILES:
        raise DatasetError(f"{text} holds more than {_MOST_FILES:,} files: name those of records")


def _looked_at(address: str) -> tuple[int | None, str | None]:
    """Return size and version of a file of the web, None where the server does not tell."""
    try:
        answer = tried(partial(web.head, address))
    except RemoteFileError as error:
        if any(f"answers {code}" in str(error.strerror) for code in (403, 405, 501)):
            return None, None  # a server may know GET alone
        raise
    return answer.size, answer.version


def _store_view(text: str, folder: Path) -> FileView:
    base = ""
    if has_pattern(text) or has_glob(text):
        found = _matching_stored(text)
    else:
        found, is_folder = tried(partial(stores.stored_files, text), most=STORE_TRIES)
        base = text.rstrip("/") if is_folder else ""
        found = [one for one in found if not is_folder or _may_hold_records(one.address, base)]
        if not found:
            raise DatasetError(f"{text} holds no files but images")
    _require_few(text, len(found))
    scheme = text.partition("://")[0]
    addresses = [f"{scheme}://{one.address.partition('://')[2]}" for one in found]
    view = FileView(text, base or _common_folder(addresses), folder)
    names = _names_below(addresses, view.base)
    for address, name, one in zip(addresses, names, found, strict=True):
        view.add(name, address, one.size, one.version)
    return _pointed(view, is_folder=bool(base))


def _matching_stored(text: str) -> list[stores.StoredFile]:
    """Return the files of a store that a pattern stands for; raises as `refuse_missing`."""
    by_name = {name: _stored_by(name) for name in expanded(text)}
    refuse_missing(text, [name for name, files in by_name.items() if not files], len(by_name))
    found = {one.address: one for files in by_name.values() for one in files}
    return list(found.values())


def _stored_by(name: str) -> list[stores.StoredFile]:
    if has_glob(name):
        return tried(partial(stores.matching, name), most=STORE_TRIES)
    found = tried(partial(stores.stored_file, name), most=STORE_TRIES)
    return [] if found is None else [found]


def _may_hold_records(address: str, base: str) -> bool:
    """Tell whether a file of a folder is worth showing to formats: no image, and not hidden."""
    path = PurePosixPath(address.removeprefix(base))
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() not in IMAGE_SUFFIXES


def _common_folder(addresses: list[str]) -> str:
    folders = {folder_of(one) for one in addresses}
    if len(folders) == 1:
        return folders.pop()
    parts = [one.split("/") for one in sorted(folders)]
    first, last = parts[0], parts[-1]  # of sorted ones, these differ earliest
    count = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return "/".join(first[: min(len(first), len(last)) if count is None else count])


def _names_below(addresses: list[str], base: str) -> list[str]:
    """Return what files are called below a folder: of several with one name, all get numbers."""
    names = [_name_below(address, base) for address in addresses]
    counts = Counter(names)
    numbers: Counter[str] = Counter()
    for n, name in enumerate(names):
        if counts[name] > 1:
            path = PurePosixPath(name)
            stem = data_stem(Path(name))
            numbered = f"{stem}-{numbers[name]:06}{path.name.removeprefix(stem)}"
            names[n] = str(path.with_name(numbered))
            numbers[name] += 1
    return names


def _name_below(address: str, base: str) -> str:
    if not is_web(address):
        is_below = folder_of(address) != base and address.startswith(base + "/")
        return address[len(base) + 1 :] if is_below else name_of(address)
    parts = urlsplit(address)
    if not _is_data(parts.path):  # as in /get?file=a.jsonl
        values = [unquote(one.partition("=")[2]) for one in parts.query.split("&")]
        named = next((one for one in values if _is_data(one)), None)
        if named is not None:
            return PurePosixPath(named).name
    if folder_of(address) == base or not address.startswith(base + "/"):
        return name_of(address)
    return unquote(address[len(base) + 1 :].partition("?")[0])


def _is_data(path: str) -> bool:
    return data_suffix(Path(path)) in DATA_SUFFIXES


def _pointed(view: FileView, *, is_folder: bool = False) -> FileView:
    """Let formats be given the one file, or the folder of several."""
    files = list(view.files)
    view.path = Path(files[0]) if len(files) == 1 and not is_folder else view.folder
    return view
