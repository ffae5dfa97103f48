"""The folder of a database's vector files, which all of its processes and hosts see."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from ig4.storage import settings
from ig4.storage.connect import is_sqlite
from ig4.storage.errors import StorageError
from ig4.storage.schema import VectorFile as VectorFileRow
from ig4.storage.vectors.columnar import VectorFile, VectorFileError
from ig4.storage.vectors.ownermark import MARK, read_mark

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import URL, Connection

_OPEN = 8  # files at a time


class VectorFolderError(StorageError):
    """The folder of vector files cannot be seen from here; no vector is lost by that."""


class VectorFolder:
    """Reads vectors from files by the numbers that the database has of them.

    A few files stay open. Several threads may use it. Close it when done.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._root: Path | None = None
        # By name: SQLite gives the id of a file that was deleted to the next one.
        self._files: OrderedDict[str, VectorFile] = OrderedDict()
        self._lock = Lock()

    def path(self, connection: Connection) -> Path | None:
        """Return the folder as the database has it now, None if all vectors are to lie inside.

        A relative one is beside the database file.
        """
        return self.recorded(connection, settings.VECTOR_FOLDER)

    def recorded(self, connection: Connection, setting: str) -> Path | None:
        """Return a folder that the database names in a setting, None if it names none."""
        name = settings.find(connection, setting)
        if name is None:
            return None
        base = beside(self.url.database or "") if is_sqlite(self.url) else Path()
        return base / name

    def require_there(self, connection: Connection) -> Path | None:
        """Return the folder, which must be seen here; None if all vectors are to lie inside.

        Raises:
            VectorFolderError: it is not there, or what is there is another one.
        """
        folder = self.path(connection)
        if folder is not None:
            require_there(folder, settings.find(connection, settings.VECTOR_OWNER))
        return folder

    def take(
        self, connection: Connection, files: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> list[NDArray[np.float32]]:
        """Return the vector (d,) float32 in each row (n,) of each file (n,), given by their ids.

        Raises:
            VectorFileError: a file is not there, or damaged.
            StorageError: this machine does not see the folder.
        """
        found: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(files)
        with self._lock:
            for file in np.unique(files):
                places = np.flatnonzero(files == file)
                # In the order of the file, so that each of its row groups is read once.
                places = places[np.argsort(rows[places], kind="stable")]
                vectors = self._take(connection, int(file), rows[places])
                for place, vector in zip(places.tolist(), vectors, strict=True):
                    found[place] = vector
        return found

    def _take(
        self, connection: Connection, file: int, rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        name = self._name(connection, file)
        known = self._files.get(name)
        if known is None:
            known = self._files[name] = self._open(connection, name)
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(name)
        return known.take(rows)

    def _open(self, connection: Connection, name: str) -> VectorFile:
        root = self._root
        if root is None or not file_path(root, name).is_file():  # it may have been moved meanwhile
            root = self._root = self.require_there(connection)
        if root is None:
            raise VectorFileError("the database does not say in which folder its vectors lie")
        return VectorFile(file_path(root, name), name)

    def _name(self, connection: Connection, file: int) -> str:
        table = VectorFileRow
        name = connection.scalar(select(table.name).where(table.id == file))
        if name is None:
            raise VectorFileError(f"the database has no vector file {file}")
        return name

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for one in self._files.values():
                one.close()
            self._files.clear()


def numbers(values: Iterable[Any]) -> NDArray[np.int64]:
    """Return ids of files, or rows in them, as an array (n,).

    Raises:
        VectorFileError: one is no number, as only a damaged or foreign database has it.
    """
    try:
        return np.array(list(values), dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        raise VectorFileError(
            "The database does not say in which row of its file a vector lies: `ig4 db check` "
            "tells of which."
        ) from None


def beside(database: str | Path) -> Path:
    """Return the folder that a SQLite file is in, also where its name is a link to it."""
    path = Path(database)
    return Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent


def file_path(folder: Path, name: str) -> Path:
    """Return the path of a file that a database names, which lies in the folder and nowhere else.

    Raises:
        VectorFileError: it is no name that ig4 gives.
    """
    if not _NAME.fullmatch(name):
        raise VectorFileError(f"{name!r} is no name of a vector file")
    return folder / name


_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}/[0-9a-f]{32}\.parquet")
_PARTIAL = re.compile(
    r"([A-Za-z0-9_-]{1,80}/\.?[0-9a-f]{32}\.parquet|\.ig4-database\.json)\.[0-9]+\.part"
)


def is_partial(name: str) -> bool:
    """Tell whether a path within the folder is what a killed process has left of a file."""
    return _PARTIAL.fullmatch(name) is not None


def require_there(folder: Path, owner: str | None) -> None:
    """Refuse to go on where the folder cannot be seen: its vectors are elsewhere, and not gone.

    The folder that a mount would hide, or a new one of its name, has not the mark of the database
    whose number is `owner`. There is no mark where that is None.

    Raises:
        VectorFolderError: it is not there, or what is there is another one.
    """
    if not folder.is_dir():
        raise VectorFolderError(
            f"The vectors of this database lie in {folder}, which this machine does not see: "
            f"{_BRING_BACK}"
        )
    if owner is None:
        return
    mark = read_mark(folder)
    if mark is None:
        raise VectorFolderError(
            f"The vectors of this database lie in {folder}, and what is there now is another "
            f"folder (it has no {MARK}): {_BRING_BACK}"
        )
    if mark.owner != owner:
        raise VectorFolderError(
            f"The vectors of this database lie in {folder}, and what is there now are those of "
            f"{mark.location}: {_BRING_BACK}"
        )


_BRING_BACK = (
    "mount it there, or bring the folder back. If it is gone for good, `ig4 db vectors --lost` "
    "lets its vectors be computed again."
)
