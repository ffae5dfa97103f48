"""The score database as an object: its location, transactions and image folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ig4.storage.connect import connect, describe, is_sqlite, parse, transaction
from ig4.storage.errors import DatabaseMissingError
from ig4.storage.outage import Outage
from ig4.storage.vectors.folder import VectorFolder
from ig4.storage.versions import ensure_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Store:
    """An open score database. Use `reading()` and `writing()`; close it when done.

    `images` and `vectors` are its folders, where others are meant than the environment or its
    place tells.
    """

    def __init__(
        self, engine: Engine, *, images: Path | None = None, vectors: Path | None = None
    ) -> None:
        self.engine = engine
        self.vectors = VectorFolder(engine.url)
        """Reads those vectors that lie in files."""
        self._images, self._vectors = images, vectors
        self._outage = Outage(engine)

    @property
    def notice(self) -> Callable[[str], None]:
        """Hears in a sentence that a server which was there before is waited for."""
        return self._outage.notice

    @notice.setter
    def notice(self, hear: Callable[[str], None]) -> None:
        self._outage.notice = hear

    @classmethod
    def open(cls, location: str | Path, *, create: bool = True) -> Store:
        """Open the database at a path or URL; with `create`, create it if it does not exist.

        Raises:
            DatabaseMissingError: it does not exist and `create` is false.
            SchemaVersionError: its schema is of another version of ig4.
            StorageError: it cannot be opened.
        """
        url = parse(location)
        file = Path(url.database or "") if is_sqlite(url) else None
        if file is not None and not create and not _holds(file):
            raise DatabaseMissingError(
                f"There is no score database at {file}: run `ig4 ingest DATASET` or `ig4 run "
                "DATASET` first, or name a database with --db."
            )
        store = cls(connect(url))
        try:
            ensure_schema(store.engine)
            store._outage.was_reached = True
        except BaseException:
            store.close()
            raise
        return store

    @property
    def location(self) -> str:
        """The path or URL as text to show, with any password hidden."""
        return describe(self.engine.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return is_sqlite(self.engine.url)

    @property
    def image_folder(self) -> Path:
        """The folder for images that a data set contains itself (Parquet): beside the database.

        The environment variable IG4_IMAGES overrides it.
        """
        if self._images is not None:
            return self._images.absolute()
        folder = os.environ.get("IG4_IMAGES")
        if folder:
            return Path(folder)
        if self.is_sqlite:
            file = Path(self.engine.url.database or "ig4.db")
            return file.with_name(file.stem + "-images")
        return Path("ig4-images").absolute()

    @property
    def vector_folder(self) -> Path:
        """The folder of vectors that can be made again: memory-mapped files beside the database.

        The environment variable IG4_VECTORS overrides it. It is safe to delete.
        """
        if self._vectors is not None:
            return self._vectors.absolute()
        folder = os.environ.get("IG4_VECTORS")
        if folder:
            return Path(folder)
        if self.is_sqlite:
            file = Path(self.engine.url.database or "ig4.db")
            return file.with_name(file.stem + "-vectors")
        return Path("ig4-vectors").absolute()

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a context with a connection that reads one consistent state."""
        return transaction(self.engine, writes=False, connection_of=self._outage.connect)

    def writing(self, *, durable: bool = False) -> AbstractContextManager[Connection]:
        """Return a context with a connection whose changes are committed together at the end.

        What cannot be had again for free, such as replies that were paid for, wants a `durable`
        one: not even a power cut undoes it, at the price of waiting for the disk.
        """
        return transaction(
            self.engine, writes=True, durable=durable, connection_of=self._outage.connect
        )

    def close(self) -> None:
        """Close all connections and files."""
        self.vectors.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _holds(file: Path) -> bool:
    """Tell whether a file has anything in it: what only reads makes no database of an empty one."""
    return file.is_file() and file.stat().st_size > 0
