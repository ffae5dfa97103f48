"""Queries answer, and no way of writing gets past the database."""

from __future__ import annotations

import pytest

from ig4.storage.connect import parse
from ig4.storage.errors import QueryError
from ig4.storage.query import EXAMPLES, run_query

WRITES = [
    "DELETE FROM runs",
    "INSERT INTO contents (hash) VALUES ('x')",
    "UPDATE datasets SET name = 'x'",
    "DROP TABLE scores",
    "CREATE TABLE mine (a INTEGER)",
    "DELETE FROM runs RETURNING id",
    "WITH gone AS (SELECT 1) DELETE FROM runs",
]


def rows_of(location, sql):
    with run_query(parse(location), sql) as answer:
        return answer.columns, [tuple(row) for row in answer.rows]


def test_a_query_gives_columns_and_rows(store, location):
    assert rows_of(location, "SELECT 1 AS one, 'a' AS two") == (["one", "two"], [(1, "a")])


@pytest.mark.parametrize("sql", WRITES)
def test_the_database_refuses_to_write(store, location, sql):
    with pytest.raises(QueryError, match="database refused this"):
        rows_of(location, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DELETE FROM runs",
        "COMMIT; DELETE FROM runs",
        "PRAGMA query_only = OFF; DELETE FROM runs",
    ],
)
def test_one_query_is_one_statement(store, location, sql):
    with pytest.raises(QueryError):
        rows_of(location, sql)


def test_no_other_file_can_be_attached_and_written(sqlite_store, tmp_path):
    other = tmp_path / "other.db"
    with pytest.raises(QueryError, match="refused"):
        rows_of(sqlite_store.location, f"ATTACH '{other}' AS other")
    assert not other.exists()


def test_bad_sql_says_what_is_wrong_and_where_help_is(store, location):
    with pytest.raises(QueryError, match="--examples"):
        rows_of(location, "SELEC 1")


def test_a_per_cent_sign_is_just_a_character(store, location):
    assert rows_of(location, "SELECT count(*) FROM samples WHERE answer LIKE '%a%'")[1] == [(0,)]


@pytest.mark.parametrize("question", [sql for _, sql in EXAMPLES if "clip" not in sql])
def test_examples_run_on_an_empty_database(store, location, question):
    rows_of(location, question)
