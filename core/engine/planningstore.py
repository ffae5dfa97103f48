"""A store to plan with: the database as it is, of which nothing is made if it is not there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ig4.storage.admin import describe_database
from ig4.storage.store import Store


@contextmanager
def planning_store(location: str | Path) -> Iterator[Store]:
    """Yield the store of a database; an empty one elsewhere if there is none, or it has no tables.

    Raises:
        StorageError: it cannot be opened, or is of another version of ig4.
    """
    if describe_database(location)["version"] is not None:
        with Store.open(location, create=False) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "ig4.db") as store:
        yield store
