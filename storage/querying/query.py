"""Query the score database in SQL; the database itself refuses writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.storage.connect import is_sqlite
from ig4.storage.errors import QueryError
from ig4.storage.querying.postgresql import query_postgresql
from ig4.storage.querying.sqlite import query_sqlite

if TYPE_CHECKING:
    from sqlalchemy import URL

EXAMPLES: Sequence[tuple[str, str]] = (
    (
        "The ten samples whose answers match their images least",
        "SELECT external_id, clip, answer FROM scores_wide ORDER BY clip LIMIT 10",
    ),
    (
        "Mean, minimum and maximum of every scorer",
        (
            "SELECT dataset, scorer, count(value) AS n, avg(value) AS mean, min(value), max(value) "
            "FROM scores_long GROUP BY dataset, scorer"
        ),
    ),
    (
        "Failed samples and their errors",
        "SELECT external_id, scorer, error FROM scores_long WHERE error IS NOT NULL",
    ),
    (
        "The last selection, best first",
        (
            "SELECT rank, external_id, cluster, final_score FROM selections_wide WHERE "
            "selection_id = (SELECT max(selection_id) FROM selections_wide) ORDER BY rank"
        ),
    ),
    (
        "The size of each cluster, and how many of its samples were selected",
        (
            "SELECT dataset, cluster, count(*) AS samples, sum(CASE WHEN selected THEN 1 ELSE 0 "
            "END) AS selected FROM scores_wide GROUP BY dataset, cluster ORDER BY dataset, cluster"
        ),
    ),
    (
        "The latest calls of language models, with their cost and duration",
        (
            "SELECT model, state, input_tokens, output_tokens, cost, seconds, reply "
            "FROM llm_calls ORDER BY id DESC LIMIT 20"
        ),
    ),
    (
        "Samples whose text seems to address the model that rates them",
        (
            "SELECT external_id, scorer, value, details FROM scores_long "
            "WHERE details LIKE '%\"flags\"%'"
        ),
    ),
    (
        "Answers that occur more than once in the data set",
        (
            "SELECT answer, count(*) AS times FROM samples GROUP BY answer HAVING count(*) > 1 "
            "ORDER BY times DESC LIMIT 20"
        ),
    ),
    (
        "The run and the component that computed the CLIP scores",
        (
            "SELECT DISTINCT s.run_id, r.started_at, s.component, s.version, s.fingerprint "
            "FROM scores_long s JOIN runs r ON r.id = s.run_id WHERE s.scorer = 'clip'"
        ),
    ),
)
"""Useful queries, shown by `ig4 query --examples`; a test runs each of them."""


TIMEOUT = 60.0
"""How many seconds a database may work on a query, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The column names, an iterator of the rows, and what to know about how they were read."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]
    note: str | None = None

    @property
    def distinct_columns(self) -> Sequence[str]:
        """The column names, those that repeat with a number: n, n:2."""
        names: list[str] = []
        for column in self.columns:
            name, number = column, 1
            while name in names:
                number += 1
                name = f"{column}:{number}"
            names.append(name)
        return names


@contextmanager
def run_query(
    url: URL,
    sql: str,
    *,
    timeout: float = TIMEOUT,
    role: str | None = None,
    give_up: Callable[[QueryError], None] | None = None,
) -> Iterator[QueryResult]:
    """Run one query that only reads, and yield its result.

    `timeout` is how long the database may work on it, in seconds (0: as long as it takes); the time
    in which nobody takes rows does not count. `role` is the role of PostgreSQL that the query runs
    as; without it, `pg_read_all_data` where the user may be that. A single function of SQLite
    cannot be stopped: where it goes on long after the time is up, `give_up` is called, in another
    thread, to end the process. Without it, the error comes when the function has ended.

    Raises:
        QueryError: the query is not valid, may do more than read, or takes too long.
        StorageError: the database cannot be read.
    """
    _check(url, sql, role)
    try:
        if is_sqlite(url):
            with query_sqlite(url, sql, timeout, give_up) as (columns, rows, note):
                yield QueryResult(columns, rows, note)
        else:
            with query_postgresql(url, sql, timeout, role) as (columns, rows):
                yield QueryResult(columns, rows)
    except MemoryError:
        raise QueryError(
            "The values of the query do not fit into the memory: let it read less at a time, with "
            "LIMIT or substr()."
        ) from None


def _check(url: URL, sql: str, role: str | None) -> None:
    if role is not None and is_sqlite(url):
        raise QueryError("--role is for PostgreSQL: a SQLite file has no roles.")
    if "\0" in sql or any("\ud800" <= character <= "\udfff" for character in sql):
        raise QueryError(f"The query holds a NUL, or bytes that are not UTF-8: {sql[:80]!r}.")
