"""Tells where the vectors of a database lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ig4.storage import settings
from ig4.storage.schema import Component
from ig4.storage.schema import VectorFile as VectorFileRow
from ig4.storage.vectors.moving import TABLES, VectorTable, key_of
from ig4.storage.vectors.ownermark import MARK

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store


@dataclass(frozen=True, slots=True)
class VectorPlace:
    """Where the vectors of one component lie: how many inside the database, how many in files.

    `dead` rows of the files are of vectors that were deleted, or computed anew.
    """

    component_id: int
    component: str
    table: str
    inside: int
    inside_bytes: int
    outside: int
    files: int
    file_bytes: int
    dead: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class VectorReport:
    """Where all vectors lie. `strays` are files in the folder that the database does not know.

    A killed process has left them, or another copy of the database file refers to them. `left` is a
    folder that vectors have moved from, and that a killed process has not emptied.
    """

    location: str
    folder: Path | None
    places: Sequence[VectorPlace]
    strays: Sequence[Path] = field(default=())
    left: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "location": self.location,
            "folder": None if self.folder is None else str(self.folder),
            "components": [one.to_dict() for one in self.places],
            "strays": [str(one) for one in self.strays],
            "left": None if self.left is None else str(self.left),
        }


def describe_vectors(store: Store) -> VectorReport:
    """Return where the vectors of a database lie.

    Raises:
        StorageError: this machine does not see the folder of files.
    """
    with store.reading() as connection:
        folder = store.vectors.require_there(connection)
        left = store.vectors.recorded(connection, settings.VECTOR_LEFT)
        places = places_of(connection)
        names = names_of(connection)
    if folder is None:
        return VectorReport(store.location, None, places, left=left)
    known = {folder / name for name in (*names.values(), MARK)}
    strays = [path for path in files_in(folder) if path not in known]
    return VectorReport(store.location, folder, places, strays, left)


def places_of(connection: Connection) -> list[VectorPlace]:
    """Return where the vectors of each component lie, also where the folder cannot be seen."""
    return [one for table in TABLES for one in _places(connection, table)]


def _places(connection: Connection, table: VectorTable) -> Iterator[VectorPlace]:
    inside = table.file_id.is_(None)
    counts = connection.execute(
        select(
            table.component_id,
            func.count().filter(inside),
            func.coalesce(func.sum(func.length(table.vector)).filter(inside), 0),
            func.count().filter(table.file_id.is_not(None)),
        )
        .where(table.error.is_(None))
        .group_by(table.component_id)
    ).all()
    files = VectorFileRow
    for component, inner, size, outer in counts:
        name = connection.scalar(select(Component.name).where(Component.id == component))
        number, rows, length = connection.execute(
            select(
                func.count(),
                func.coalesce(func.sum(files.rows), 0),
                func.coalesce(func.sum(files.bytes), 0),
            ).where(files.component_id == component, files.key == key_of(table))
        ).one()
        yield VectorPlace(
            component, name or "", table.__tablename__, inner, int(size), outer, number,
            int(length), int(rows) - outer,
        )  # fmt: skip


def names_of(connection: Connection) -> dict[int, str]:
    """Return the names of the files that the database knows, by id."""
    table = VectorFileRow
    rows = connection.execute(select(table.id, table.name).order_by(table.id))
    return {row.id: row.name for row in rows}


def files_in(folder: Path) -> list[Path]:
    """Return all files in a folder and in those below, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
