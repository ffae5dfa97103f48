"""Groupings are stored with their checksums, replaced by name, and shown by a view."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from ig4.storage import datasets, groups, runs
from ig4.storage.integrity.check import check_database
from ig4.storage.integrity.repair import repair_damage
from ig4.storage.querying.query import run_query
from ig4.storage.runs import ComponentRow


@pytest.fixture
def dataset(store):
    """A data set of three samples; returns its id and theirs."""
    with store.writing() as connection:
        row = datasets.put(
            connection, "d", path="p", format="f", options={}, image_root=None, header=None
        )
        contents = datasets.content_ids(connection, ["a" * 32, "b" * 32, "c" * 32])
        datasets.put_samples(
            connection,
            [
                (row.id, name, n, content, "?", "!", None, "{}", None, None, None, None)
                for n, (name, content) in enumerate(zip("abc", contents.values(), strict=True))
            ],
        )
    with store.reading() as connection:
        ids = connection.scalars(text("SELECT id FROM samples ORDER BY id")).all()
    return row.id, np.array(ids)


@pytest.fixture
def put(store, dataset):
    """Store a grouping of the data set; returns its id."""
    dataset_id, ids = dataset
    with store.writing() as connection:
        component = runs.component_id(
            connection, ComponentRow("grouper", "form", "ig4", "1", {}, "f")
        )

    def _put(name="form", inputs="x", rows=(0, 1, 2), labels=(0, 1, 0)):
        with store.writing() as connection:
            return groups.put(
                connection, dataset_id=dataset_id, name=name, component_id=component,
                inputs=inputs, group_names=["it's one", 'the "other"'], run_id=None,
                samples=ids[list(rows)], labels=np.array(labels),
            )  # fmt: skip

    return _put


def test_labels_come_back_alone_where_each_sample_has_just_one(store, dataset, put):
    _, ids = dataset
    with store.reading() as connection:
        assert groups.single_labels(connection, put(), ids).tolist() == [0, 1, 0]
    for rows, labels in (((0, 1), (0, 1)), ((0, 0, 1), (0, 1, 0)), ((), ())):
        added = put(rows=rows, labels=labels)
        with store.reading() as connection:
            assert groups.single_labels(connection, added, ids) is None
    with store.reading() as connection:
        assert groups.single_labels(connection, put(), ids[:2]) is None  # a label of another


def test_memberships_come_back_by_sample_then_by_label(store, dataset, put):
    _, ids = dataset
    added = put(rows=(2, 0, 0), labels=(0, 1, 0))
    with store.reading() as connection:
        members, labels = groups.memberships(connection, added)
    assert members.tolist() == [ids[0], ids[0], ids[2]]
    assert labels.tolist() == [0, 1, 0]


def test_a_grouping_takes_the_place_of_the_one_of_its_name(store, dataset, put):
    put(inputs="old")
    put("source", inputs="other")
    put(inputs="new")
    with store.reading() as connection:
        known = groups.list_all(connection, dataset[0])
        assert [(row.name, row.inputs) for row in known] == [("source", "other"), ("form", "new")]
        assert groups.find(connection, dataset[0], "old") is None
        assert connection.scalar(text("SELECT count(*) FROM group_labels")) == 6


def test_the_view_tells_the_groups_of_each_sample_by_name(store, put):
    put(rows=(0, 1, 1), labels=(0, 0, 1))
    sql = "SELECT dataset, external_id, grouping, group_name FROM groups_long ORDER BY 2, 4 DESC"
    with run_query(store.engine.url, sql) as result:  # as little trusted as `ig4 query`
        rows = [tuple(row) for row in result.rows]
    assert rows == [
        ("d", "a", "form", "it's one"),
        ("d", "b", "form", 'the "other"'),
        ("d", "b", "form", "it's one"),
    ]


def test_changed_labels_are_found_and_repaired(store, put):
    put()
    url = store.engine.url
    assert check_database(str(url)).verified["group_labels"] == 3
    with store.writing() as connection:
        connection.execute(text("UPDATE group_labels SET label = 1 WHERE label = 0"))
    (damage,) = check_database(str(url)).damage
    assert damage.table == "group_labels"
    assert "`ig4 groups`" in damage.remedy
    assert repair_damage(str(url), [damage]) == 1
    assert check_database(str(url)).sound
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM groupings")) == 0


def test_a_changed_name_is_found(store, put):
    put()
    with store.writing() as connection:
        connection.execute(text('UPDATE groupings SET group_names = \'["x", "y"]\''))
    damage = check_database(str(store.engine.url)).damage
    assert [one.table for one in damage] == ["groupings"]
