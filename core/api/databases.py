"""Opens score databases, and asks them."""

from __future__ import annotations

from pathlib import Path

from ig4.core.api.queryrows import QueryRows
from ig4.core.limits import QUERY_SECONDS
from ig4.storage.admin import existing_url
from ig4.storage.connect import DEFAULT
from ig4.storage.querying.query import TIMEOUT, run_query
from ig4.storage.store import Store


def open(location: str | Path = DEFAULT, *, create: bool = True) -> Store:  # noqa: A001 - ig4.open
    """Open a score database at a path or URL; use it in a `with` block, or close it.

    Raises:
        StorageError: it cannot be opened, or is from another version of ig4.
    """
    return Store.open(location, create=create)


def query(
    sql: str,
    *,
    db: str | Path | Store = DEFAULT,
    timeout: float = TIMEOUT,
    role: str | None = None,
) -> QueryRows:
    """Do what `ig4 query` does: run one query that only reads; returns its rows by column name.

    They are a list of dicts, which shows itself as a table in a notebook and becomes a DataFrame.

    A column without a name of its own gets a number: `n`, `n:2`. `timeout` is how long the database
    may work on the query, in seconds; `role` is the role of PostgreSQL that it runs as.

    Raises:
        UsageError: the timeout is out of its limits.
        QueryError: the query is not valid, may do more than read, or takes too long.
        StorageError: there is no such database, or it cannot be read.
    """
    QUERY_SECONDS.check("timeout", timeout)
    url = db.engine.url if isinstance(db, Store) else existing_url(db)
    with run_query(url, sql, timeout=timeout, role=role) as result:
        names = result.distinct_columns
        rows = (dict(zip(names, row, strict=True)) for row in result.rows)
        return QueryRows(names, rows)


class StoreContext:
    """A store for the length of a `with` block; one that was given open stays open."""

    def __init__(self, db: str | Path | Store, *, create: bool = True) -> None:
        self.given = db
        self.create = create

    def __enter__(self) -> Store:
        if isinstance(self.given, Store):
            self.store = self.given
        else:
            self.store = Store.open(self.given, create=self.create)
        return self.store

    def __exit__(self, *_: object) -> None:
        if self.store is not self.given:
            self.store.close()
