"""The score database as an object: a place, its transactions, and the files beside it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ig4.storage.connect import connect, describe, is_sqlite, parse, transaction
from ig4.storage.errors import DatabaseMissingError
from ig4.storage.versions import ensure

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Store:
    """An open score database. Use `reading()` and `writing()`; close it when done."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, location: str | Path, *, create: bool = True) -> Store:
        """Open the database at a path or URL, creating it when `create`.

        Raises:
            DatabaseMissingError: there is none and `create` is false.
            SchemaVersionError: it is from another version of ig4.
            StorageError: it cannot be opened.
        """
        url = parse(location)
        file = Path(url.database or "") if is_sqlite(url) else None
        if file is not None and not create and not file.is_file():
            raise DatabaseMissingError(
                f"There is no score database at {file}: run `ig4 ingest DATASET` or `ig4 run "
                "DATASET` first, or name one with --db."
            )
        store = cls(connect(url))
        try:
            ensure(store.engine)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def location(self) -> str:
        """The path or URL, fit to be shown: passwords are hidden."""
        return describe(self.engine.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return is_sqlite(self.engine.url)

    @property
    def image_folder(self) -> Path:
        """Where images that came inside a data set (Parquet) are kept: beside the database."""
        chosen = os.environ.get("IG4_IMAGES")
        if chosen:
            return Path(chosen)
        if self.is_sqlite:
            file = Path(self.engine.url.database or "ig4.db")
            return file.with_name(file.stem + "-images")
        return Path("ig4-images").absolute()

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one consistent state."""
        return transaction(self.engine, writes=False)

    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection whose changes are committed together at the end."""
        return transaction(self.engine, writes=True)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
