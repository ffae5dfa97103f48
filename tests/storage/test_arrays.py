"""Columns of numbers and texts, read as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal, select, union_all

from ig4.storage import arrays, datasets
from ig4.storage.store import Store


def rows_of(values):
    """A statement with these values, in their order."""
    parts = [select(literal(n).label("n"), literal(one).label("x")) for n, one in enumerate(values)]
    every = union_all(*parts).subquery()
    return select(every.c.x).order_by(every.c.n)


@pytest.mark.parametrize("values", [[3], [7, 0, 7, -1, 12_345], list(range(50, 0, -1))])
def test_small_numbers_come_in_the_order_of_the_statement(store, values):
    with store.reading() as connection:
        found = arrays.small_integers(connection, rows_of(values))
        assert (found.tolist(), found.dtype) == (values, np.int64)
        none = rows_of(values).where(literal(1) == 2)
        assert arrays.small_integers(connection, none).tolist() == []


def test_texts_are_joined_in_the_order_of_the_statement(store):
    with store.reading() as connection:
        assert arrays.joined(connection, rows_of(["b", "", "a", "c"])) == "bac"


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """A store with forty contents, and their hashes by id."""
    with Store.open(tmp_path_factory.mktemp("hashes") / "ig4.db") as store:
        with store.writing() as connection:
            made = datasets.content_ids(connection, [f"{n:032x}" for n in range(40)])
        yield store, {number: value for value, number in made.items()}


@given(st.data())
def test_hashes_are_those_of_the_ids_in_any_order_and_with_any_gaps(contents, data):
    store, known = contents
    every = sorted(known)
    ids = data.draw(
        st.one_of(st.lists(st.sampled_from(every)), st.sampled_from([every, every[3:9]]))
    )
    with store.reading() as connection:
        found = datasets.joined_hashes(connection, np.array(ids, dtype=np.int64))
    assert found == "".join(known[one] for one in ids)
