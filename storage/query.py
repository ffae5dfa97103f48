"""Ask the score database in SQL, with the database itself refusing any change."""

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
        "The ten samples whose answer fits its image least",
        "SELECT external_id, clip, answer FROM scores_wide ORDER BY clip LIMIT 10",
    ),
    (
        "Mean, least and greatest value of every scorer",
        (
            "SELECT dataset, scorer, count(value) AS n, avg(value) AS mean, min(value), max(value) "
            "FROM scores_long GROUP BY dataset, scorer"
        ),
    ),
    (
        "What failed, and why",
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
        "How many samples each cluster holds, and how many were selected",
        (
            "SELECT l.label AS cluster, count(*) AS samples, count(x.sample_id) AS selected "
            "FROM cluster_labels l LEFT JOIN selected_samples x ON x.sample_id = l.sample_id "
            "AND x.selection_id = (SELECT max(id) FROM selections) "
            "WHERE l.clustering_id = (SELECT max(id) FROM clusterings) GROUP BY l.label"
        ),
    ),
    (
        "What language models were asked lately, what that cost, and how long it took",
        (
            "SELECT model, state, input_tokens, output_tokens, cost, seconds, reply "
            "FROM llm_calls ORDER BY id DESC LIMIT 20"
        ),
    ),
    (
        "Samples that seem to talk to the model that rates them",
        (
            "SELECT external_id, scorer, value, details FROM scores_long "
            "WHERE details LIKE '%\"flags\"%'"
        ),
    ),
    (
        "Answers that stand in the data set more than once",
        (
            "SELECT answer, count(*) AS times FROM samples GROUP BY answer HAVING count(*) > 1 "
            "ORDER BY times DESC LIMIT 20"
        ),
    ),
    (
        "Which run and which component every CLIP score came from",
        (
            "SELECT DISTINCT s.run_id, r.started_at, s.component, s.version, s.fingerprint "
            "FROM scores_long s JOIN runs r ON r.id = s.run_id WHERE s.scorer = 'clip'"
        ),
    ),
)
"""Questions worth asking, shown by `ig4 query --examples`; a test runs each of them."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Column names, and the rows as they come."""

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]


@contextmanager
def run_query(url: URL, sql: str) -> Iterator[QueryResult]:
    """Run one statement that cannot write, and give its answer.

    Raises:
        QueryError: the SQL is wrong, or the database refused it because it writes.
    """
    asking = _ask_sqlite(url, sql) if is_sqlite(url) else _ask_postgresql(url, sql)
    with asking as answer:
        yield answer


@contextmanager
def _ask_sqlite(url: URL, sql: str) -> Iterator[QueryResult]:
    file = quote(str(url.database))
    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise QueryError(f"{describe(url)} cannot be opened for reading: {error}") from None
    with closing(connection):
        # mode=ro guards this file; no other may be attached and written instead.
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        try:
            cursor = connection.execute(sql)
            yield QueryResult([column[0] for column in cursor.description or ()], cursor)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise QueryError(_why(str(error))) from None


@contextmanager
def _ask_postgresql(url: URL, sql: str) -> Iterator[QueryResult]:
    import psycopg

    engine = connect(url)
    try:
        with closing(engine.raw_connection()) as connection:
            # A prepared statement is one statement, so that none can end this transaction and
            # write in another; after the first query it can no longer be made writable.
            cursor: Any = connection.cursor()
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT 1")
            cursor.execute(sql, prepare=True)
            yield QueryResult([column[0] for column in cursor.description or ()], iter(cursor))
    except psycopg.Error as error:
        raise QueryError(_why(str(error))) from None
    finally:
        engine.dispose()


def _why(message: str) -> str:
    first = message.strip().splitlines()[0].rstrip(".") if message.strip() else "the query failed"
    if "readonly" in first or "read-only" in first or "too many attached" in first:
        return f"The database refused this: {first}. `ig4 query` only reads."
    return f"{first}. `ig4 query --examples` shows queries that work."
