"""What was found of a column of scores: kept by name, replaced, renamed and dropped with it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.storage import checkups, runs, scorecolumns, scores


@pytest.fixture
def column(store):
    """A store with a data set (1) that has a column `clip` of component 1."""
    with store.writing() as connection:
        connection.execute(text(
            "INSERT INTO datasets (id, name, path, format, options, created_at) "
            "VALUES (1, 'd', '/d', 'jsonl', '{}', '2026-01-01')"
        ))  # fmt: skip
        own = runs.component_id(connection, runs.ComponentRow("scorer", "s", "d", "1", {}, "f"))
        scores.bind(connection, 1, "clip", own)
        put(connection, own, {"verdict": "trust", "area": 0.875})
    return store


def put(connection, component, result, inputs="i"):
    checkups.put(
        connection, dataset_id=1, name="clip", component_id=component, inputs=inputs,
        result=result, run_id=None,
    )  # fmt: skip


def found(store):
    with store.reading() as connection:
        return {n: (r.inputs, r.result) for n, r in checkups.list_all(connection, 1).items()}


def test_what_is_found_anew_replaces_what_was_found(column):
    with column.writing() as connection:
        put(connection, 1, {"verdict": "noise"}, "j")
    assert found(column) == {"clip": ("j", {"verdict": "noise"})}


def test_it_goes_with_the_column(column):
    with column.writing() as connection:
        scorecolumns.rename(connection, 1, "clip", "other")
    assert list(found(column)) == ["other"]
    with column.writing() as connection:
        (row,) = scorecolumns.list_all(connection, 1)
        scorecolumns.drop(connection, 1, row)
    assert found(column) == {}


def test_a_row_whose_bytes_changed_is_as_if_it_were_not_there(column):
    with column.writing() as connection:
        connection.execute(text("UPDATE checkups SET inputs = 'k'"))
    assert found(column) == {}
    with column.writing() as connection:
        put(connection, 1, {"verdict": "careful"})
    assert found(column) == {"clip": ("i", {"verdict": "careful"})}
