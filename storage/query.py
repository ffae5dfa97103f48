"""Query the score database in SQL; the database itself refuses writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ig4.storage.connect import connect, describe, is_sqlite
from ig4.storage.errors import QueryError

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
            "SELECT rank, external_id, cluster, final_score FROM selected_samples "
            "JOIN samples ON samples.id = sample_id "
            "WHERE selection_id = (SELECT max(id) FROM selections) ORDER BY rank"
        ),
    ),
    (
        "The size of each cluster, and how many of its samples were selected",
        (
            "SELECT l.label AS cluster, count(*) AS samples, count(x.sample_id) AS selected "
            "FROM cluster_labels l LEFT JOIN selected_samples x ON x.sample_id = l.sample_id "
            "AND x.selection_id = (SELECT max(id) FROM selections) "
            "WHERE l.clustering_id = (SELECT max(id) FROM clusterings) GROUP BY l.label"
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


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The column names, and an iterator of the rows."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]


@contextmanager
def run_query(url: URL, sql: str) -> Iterator[QueryResult]:
    """Run one read-only statement and yield its result.

    Raises:
        QueryError: the SQL is not valid, or the database refused it because it writes.
    """
    query = _query_sqlite if is_sqlite(url) else _query_postgresql
    with query(url, sql) as result:
        yield result


@contextmanager
def _query_sqlite(url: URL, sql: str) -> Iterator[QueryResult]:
    file = quote(str(url.database))
    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise QueryError(f"{describe(url)} cannot be opened for reading: {error}") from None
    with closing(connection):
        # mode=ro protects this file; ATTACH could still open another one for writing.
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        try:
            cursor = connection.execute(sql)
            yield QueryResult([column[0] for column in cursor.description or ()], cursor)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise QueryError(_message(str(error))) from None


@contextmanager
def _query_postgresql(url: URL, sql: str) -> Iterator[QueryResult]:
    import psycopg

    engine = connect(url)
    try:
        with closing(engine.raw_connection()) as connection:
            # A prepared statement is a single statement, so it cannot end this transaction and
            # write in another; after its first query a transaction cannot be made writable.
            cursor: Any = connection.cursor()
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT 1")
            cursor.execute(sql, prepare=True)
            yield QueryResult([column[0] for column in cursor.description or ()], iter(cursor))
    except psycopg.Error as error:
        raise QueryError(_message(str(error))) from None
    finally:
        engine.dispose()


def _message(error: str) -> str:
    lines = error.strip().splitlines()
    first = lines[0].rstrip(".") if lines else "the query failed"
    if "readonly" in first or "read-only" in first or "too many attached" in first:
        return f"The database refused this: {first}. `ig4 query` only reads."
    return f"{first}. `ig4 query --examples` shows queries that work."
