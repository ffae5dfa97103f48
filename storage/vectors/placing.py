"""Moves all vectors of a database elsewhere, and tidies up its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from ig4.storage import settings
from ig4.storage.connect import is_sqlite, translate_errors
from ig4.storage.errors import StorageError
from ig4.storage.schema import ScoreClaim
from ig4.storage.schema import VectorFile as VectorFileRow
from ig4.storage.transfer.folders import copy_file
from ig4.storage.transfer.watching import RowWatcher, unwatched
from ig4.storage.vectors.columnar import VectorFileError, require_parquet
from ig4.storage.vectors.emptying import bring_back
from ig4.storage.vectors.folder import (
    VectorFolderError,
    beside,
    file_path,
    is_partial,
    require_there,
)
from ig4.storage.vectors.moving import (
    LITTLE,
    TABLES,
    Moved,
    VectorTable,
    file_bytes,
    key_of,
    move,
)
from ig4.storage.vectors.ownermark import (
    MARK,
    mark_folder,
    new_number,
    own_number,
    read_mark,
    remove_mark,
    unrecorded_number,
)
from ig4.storage.vectors.report import describe_vectors, names_of

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from ig4.storage.store import Store

_SMALL = 0.5
"""A file of a smaller part of the usual bytes is joined with others."""

_SPARSE = 0.75
"""A file of which a smaller part is alive is written anew."""


def require_idle(store: Store) -> None:
    """Refuse to move what other processes may be reading or writing.

    Raises:
        StorageError: some process computes vectors or scores now.
    """
    with store.reading() as connection:
        busy = connection.scalar(select(func.count()).select_from(ScoreClaim))
    if busy:
        raise StorageError(
            f"Other processes compute scores in {store.location} now: move its vectors when they "
            "have ended."
        )


def move_into(
    store: Store, folder: Path, size: int | None = None, watch: RowWatcher = unwatched
) -> Moved:
    """Move all vectors into files in a folder, also those that come later.

    `size` is about how many bytes of vectors a file is to have from now on. Files that lie in
    another folder move, too. Whatever is interrupted is completed by the same call.

    Raises:
        StorageError: the folder holds other files, or cannot be written.
    """
    require_idle(store)
    require_parquet()
    # Not resolved: links are to be recorded as they were named.
    folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100
    _empty_left(store)
    with store.reading() as connection:
        before, names = store.vectors.path(connection), names_of(connection)
    stays = before is not None and _same(before, folder)
    if not stays:
        _require_free(store, folder)
        _require_own(folder, names.values())
    owner = _mark(store, before, folder, names)
    if before is not None and not stays:
        _copy_files(before, folder, names, owner)
    with store.writing() as connection:
        settings.lock(connection, settings.VECTOR_FOLDER)
        _require_unmoved(store, connection, before)
        known = names_of(connection)
        late = {file: name for file, name in known.items() if file not in names}
        if before is not None and not stays:
            _copy_files(before, folder, late, owner)  # another process wrote them meanwhile
            _require_all(folder, known)
            settings.put(connection, settings.VECTOR_LEFT, _recorded(store.engine.url, before))
        settings.put(connection, settings.VECTOR_FOLDER, _recorded(store.engine.url, folder))
        if size is not None:
            settings.put(connection, settings.VECTOR_FILE_BYTES, str(size))
    store.vectors.close()
    _empty_left(store)
    total = Moved()
    for table in TABLES:
        for component in _components(store, table):
            moved = move(store, table, component)
            watch(table.__tablename__, moved.vectors)
            total += moved
    give_back_space(store)
    return total


def move_back(store: Store, watch: RowWatcher = unwatched) -> Moved:
    """Move all vectors from files into the database, which keeps those that come later.

    Raises:
        StorageError: a file cannot be read; then its vectors, and later ones, stay in files.
    """
    require_idle(store)
    _empty_left(store)
    _mark_own(store)
    total = Moved()
    while True:
        with store.reading() as connection:
            folder, names = store.vectors.path(connection), names_of(connection)
        for file in names:
            total += bring_back(store, file, watch)
        with store.writing() as connection:
            settings.lock(connection, settings.VECTOR_FOLDER)
            if not names_of(connection):
                settings.remove(connection, settings.VECTOR_FOLDER)
                settings.remove(connection, settings.VECTOR_FILE_BYTES)
                settings.remove(connection, settings.VECTOR_OWNER)
                break
    if folder is not None:
        _remove_empty(folder)
    return total


def compact(store: Store, watch: RowWatcher = unwatched) -> Moved:
    """Join small files, and write those anew that hold many dead rows.

    Files that the database does not know stay: they may be those of a copy of it.

    Raises:
        StorageError: a file cannot be read or written.
    """
    require_idle(store)
    _empty_left(store)
    _mark_own(store)
    report = describe_vectors(store)
    total = Moved()
    if report.folder is None:
        return total
    for table in TABLES:
        for component in _components(store, table):
            for group in _groups(store, table, component):
                brought = [bring_back(store, file, watch) for file in group]
                total += sum(brought, Moved())
                move(store, table, component)
            # What was brought back by a process that was killed then.
            total += move(store, table, component, at_least=_little(store))
    _remove_empty(report.folder, stays=True)
    return total


def forget_lost(store: Store) -> int:
    """Let all vectors be computed again that lay in files, where the folder is gone for good.

    Those in the database stay. Returns how many were in files.

    Raises:
        StorageError: the folder is there, or other processes compute scores.
    """
    require_idle(store)
    with store.writing() as connection:
        settings.lock(connection, settings.VECTOR_FOLDER)
        folder = store.vectors.path(connection)
        if folder is None:
            return 0
        if _is_seen(store, connection):
            raise StorageError(
                f"{folder} is there, so its vectors are not lost: `ig4 db check` tells which of "
                "its files are gone or damaged, and with --repair frees what they held."
            )
        count = 0
        for table in TABLES:
            gone = table.file_id.is_not(None)
            count += connection.execute(delete(table).where(gone)).rowcount
        connection.execute(delete(VectorFileRow))
        for name in (settings.VECTOR_FOLDER, settings.VECTOR_OWNER, settings.VECTOR_LEFT):
            settings.remove(connection, name)
    store.vectors.close()
    return count


def _is_seen(store: Store, connection: Connection) -> bool:
    try:
        store.vectors.require_there(connection)
    except VectorFolderError:
        return False
    return True


def give_back_space(store: Store) -> None:
    """Let the file of a SQLite database shrink, where much of it is free; a server does it itself.

    It stays as it is if the disk has no room for what is left, or another process reads it.
    """
    if not store.is_sqlite:
        return
    with (
        suppress(StorageError),
        translate_errors(store.engine.url),
        store.engine.connect() as connection,
    ):
        raw: Any = connection.connection.driver_connection
        numbers = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
        free, all_pages, page = map(int, numbers)
        if free * page >= _MUCH and free * 4 >= all_pages:
            raw.execute("VACUUM")


_PAGES = ("freelist_count", "page_count", "page_size")
_MUCH = 16 << 20


def _groups(store: Store, table: VectorTable, component: int) -> list[list[int]]:
    """Return files of a component that are small or sparse, as many as make a file together."""
    with store.reading() as connection:
        usual = file_bytes(connection)
        counted = connection.execute(
            select(table.file_id, func.count())
            .where(table.component_id == component, table.file_id.is_not(None))
            .group_by(table.file_id)
        )
        live = {file: count for file, count in counted if file is not None}
        files = connection.execute(
            select(VectorFileRow.id, VectorFileRow.rows, VectorFileRow.dimensions)
            .where(VectorFileRow.component_id == component, VectorFileRow.key == key_of(table))
            .order_by(VectorFileRow.id)
        ).all()
    groups: list[list[int]] = [[]]
    size, sparse = 0, False
    for file, rows, dimensions in files:
        mine = live.get(file, 0) * dimensions * 4
        is_sparse = live.get(file, 0) < _SPARSE * rows
        if mine >= _SMALL * usual and not is_sparse:
            continue
        groups[-1].append(file)
        size, sparse = size + mine, sparse or is_sparse
        if size >= usual:
            groups.append([])
            size, sparse = 0, False
    if len(groups[-1]) == 1 and not sparse:
        groups.pop()  # it is as small as before
    return [group for group in groups if group]


def _components(store: Store, table: VectorTable) -> list[int]:
    files = VectorFileRow
    with store.reading() as connection:
        ids = set(connection.scalars(select(table.component_id).distinct()))
        # All vectors of a file may have been deleted.
        of_files = select(files.component_id).where(files.key == key_of(table))
        return sorted(ids | set(connection.scalars(of_files)))


def _little(store: Store) -> int:
    with store.reading() as connection:
        return file_bytes(connection) // LITTLE


def _mark(store: Store, before: Path | None, folder: Path, names: Mapping[int, str]) -> str:
    """Mark the folder that vectors lie in, and that they are to move to; returns the number.

    Raises:
        StorageError: one of them is another database's, or cannot be written.
    """
    url = store.engine.url
    with store.writing() as connection:
        known = settings.find(connection, settings.VECTOR_OWNER)
        if before is None:
            known = own_number(connection)
    if before is not None and names and not _was_renamed(before, folder, names, known):
        require_there(before, known)
    folders = [folder] if before is None else [before, folder]
    owner = known or unrecorded_number(before, url) or new_number()
    for one in dict.fromkeys(folders):
        if one.is_dir() or one == folder:
            one.mkdir(parents=True, exist_ok=True)
            mark_folder(one, owner, url)
    if known is None:  # a folder of an older ig4 has its mark before that is relied on
        with store.writing() as connection:
            settings.put(connection, settings.VECTOR_OWNER, owner)
    return owner


def _mark_own(store: Store) -> None:
    """Make sure that the folder of vectors is this database's, before files there are removed.

    Raises:
        StorageError: it is not there, or another's.
    """
    with store.reading() as connection:
        folder, names = store.vectors.path(connection), names_of(connection)
    if folder is not None and (names or folder.is_dir()):
        _mark(store, folder, folder, names)


def _was_renamed(before: Path, folder: Path, names: Mapping[int, str], owner: str | None) -> bool:
    """Tell whether a folder is the one that is gone under its old name, with all files."""
    mark = read_mark(folder)
    if before.is_dir() or mark is None or mark.owner != owner:
        return False
    return all(file_path(folder, name).is_file() for name in names.values())


def _copy_files(before: Path, folder: Path, names: Mapping[int, str], owner: str) -> None:
    if not names or _was_renamed(before, folder, names, owner):
        return
    require_there(before, owner)
    for name in names.values():
        if copy_file(file_path(before, name), file_path(folder, name)) is None:
            raise StorageError(f"{before / name} is not there: `ig4 db check` tells more.")


def _require_unmoved(store: Store, connection: Connection, before: Path | None) -> None:
    """Refuse to go on where vectors lie elsewhere than they did.

    Raises:
        StorageError: another process has moved them.
    """
    if store.vectors.path(connection) != before:
        raise StorageError(
            f"Another process has moved the vectors of {store.location} meanwhile: `ig4 db "
            "vectors` tells where they lie now."
        )


def _require_all(folder: Path, names: Mapping[int, str]) -> None:
    """Refuse to let the database name a folder that has not all of its files.

    Raises:
        StorageError: one is not there.
    """
    for name in names.values():
        if not file_path(folder, name).is_file():
            raise StorageError(f"{folder / name} is gone again, so nothing moved: start again.")


def _empty_left(store: Store) -> None:
    """Remove the files of a folder that vectors have moved from, unless they lie there again.

    A process that was killed may have left it to the next one.
    """
    with store.writing() as connection:
        settings.lock(connection, settings.VECTOR_FOLDER)
        left = store.vectors.recorded(connection, settings.VECTOR_LEFT)
        if left is None:
            return
        now = store.vectors.path(connection)
        owner = settings.find(connection, settings.VECTOR_OWNER)
        mark = read_mark(left)
        if mark is not None and mark.owner == owner and (now is None or not _same(now, left)):
            _remove(left, names_of(connection).values())
        settings.remove(connection, settings.VECTOR_LEFT)


def _recorded(url: URL, folder: Path) -> str:
    """Return how a folder is recorded: relative to the database file if it lies beside it."""
    if is_sqlite(url):
        base = beside(url.database or "").absolute()
        if folder.is_relative_to(base) and folder != base:
            return folder.relative_to(base).as_posix()
    return str(folder)


def _require_free(store: Store, folder: Path) -> None:
    """Refuse a folder that ig4 uses for something else, though it may be empty yet.

    Raises:
        StorageError: it is the one of images, or of vectors that can be made again; or within one
            of vector files.
    """
    for other in (store.image_folder, store.vector_folder):
        theirs = Path(os.path.realpath(other))
        if Path(os.path.realpath(folder)).is_relative_to(theirs):
            raise StorageError(f"{folder} is for other files of ig4 ({other}): name another.")
    for above in Path(os.path.realpath(folder)).parents:
        if read_mark(above) is not None:
            raise StorageError(
                f"{folder} is within {above}, where vectors of a database lie: name another."
            )


def _require_own(folder: Path, names: Any) -> None:
    """Refuse a folder that holds anything but files of this database.

    Raises:
        StorageError: it does, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = {*names, MARK}
        paths = ((one, one.relative_to(folder).as_posix()) for one in folder.rglob("*"))
        # The first is enough: there may be millions. What a killed copy has left is ours.
        other = next(
            (
                name
                for one, name in paths
                if one.is_file() and name not in known and not is_partial(name)
            ),
            None,
        )
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from None
    if other is not None:
        raise StorageError(
            f"{folder} is not empty (it has {other}): name a folder that only this database uses."
        )


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _remove(folder: Path, names: Any) -> None:
    for name in names:
        with suppress(OSError, VectorFileError):
            file_path(folder, name).unlink()
    _remove_empty(folder)


def _remove_empty(folder: Path, *, stays: bool = False) -> None:
    """Remove the folders of components that have no files any more; the folder itself, too.

    With `stays`, it is that of the vectors to come.
    """
    for one in sorted(folder.glob("*/")):
        with suppress(OSError):
            one.rmdir()
    if not stays:
        remove_mark(folder)
        with suppress(OSError):
            folder.rmdir()
