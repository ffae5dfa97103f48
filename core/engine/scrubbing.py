"""Takes keys and passwords out of what an older ig4 has recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.secrets import scrub
from ig4.storage.records import compact, rewrite_json

if TYPE_CHECKING:
    from ig4.storage.store import Store


def scrub_records(store: Store) -> int:
    """Hide what looks like a secret in all recorded configurations; returns how many had one.

    The old values are overwritten in the file as well, which SQLite does not do by itself.

    Raises:
        StorageError: another process works on the database.
    """
    with store.writing() as connection:
        count = rewrite_json(connection, scrub)
    if count:
        compact(store.engine)
    return count
