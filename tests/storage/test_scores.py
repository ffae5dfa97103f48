"""Scores and embeddings: stored once, found by content, NaN where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ig4.storage import clusters, datasets, runs, samples, scorecolumns, scores
from ig4.storage.runs import ComponentRow
from ig4.storage.vectors import reading


@pytest.fixture
def component(store):
    with store.writing() as connection:
        return runs.component_id(connection, component_row("a"))


def component_row(fingerprint):
    return ComponentRow("scorer", "clip", "ig4", "1", {"model": "x"}, fingerprint)


@pytest.fixture
def contents(store):
    with store.writing() as connection:
        ids = datasets.content_ids(connection, [f"hash {n}" for n in range(5)])
    return np.array(list(ids.values()), dtype=np.int64)


@pytest.fixture
def dataset(store, contents):
    with store.writing() as connection:
        row = datasets.put(
            connection, "d", path="p", format="f", options={}, image_root=None, header=None
        )
        datasets.put_samples(
            connection,
            [
                (row.id, f"s{n}", n, int(content), "i", "a", None, "{}", None, None, None, None)
                for n, content in enumerate(contents)
            ],
        )
    return row


def put(store, component, rows):
    with store.writing() as connection:
        scores.put(connection, component, None, rows)


def values(store, component, contents):
    with store.reading() as connection:
        return scores.values(connection, component, contents)


def test_a_component_is_added_once(store, component):
    with store.writing() as connection:
        assert runs.component_id(connection, component_row("a")) == component
        assert runs.component_id(connection, component_row("b")) != component


def test_values_come_back_in_the_order_asked_for(store, component, contents):
    put(store, component, [(int(c), float(n), None, None) for n, c in enumerate(contents)])
    assert values(store, component, contents[::-1]).tolist() == [4, 3, 2, 1, 0]


def test_values_are_exact_to_the_last_bit(store, component, contents):
    exact = [math.pi * 10**n for n in range(5)]
    put(store, component, [(int(c), v, None, None) for c, v in zip(contents, exact, strict=True)])
    assert values(store, component, contents).tolist() == exact


def test_what_failed_or_was_never_seen_is_nan(store, component, contents):
    first, second, *_ = map(int, contents)
    put(store, component, [(first, None, "broken", None), (second, 7.0, None, None)])
    found = values(store, component, contents)
    assert found[1] == 7.0
    assert np.isnan(found[[0, 2, 3, 4]]).all()


def test_an_error_among_scores_without_gap_is_nan_too(store, component, contents):
    rows = [(int(c), 1.0, None, None) for c in contents]
    rows[2] = (rows[2][0], None, "broken", None)
    put(store, component, rows)
    assert np.isnan(values(store, component, contents)).tolist() == [
        False, False, True, False, False,
    ]  # fmt: skip


def test_a_new_result_takes_the_place_of_the_old(store, component, contents):
    content = int(contents[0])
    put(store, component, [(content, None, "broken", None)])
    put(store, component, [(content, 2.0, None, '{"n": 1}')])
    assert values(store, component, contents[:1]).tolist() == [2.0]


def test_a_result_is_a_value_or_an_error(store, component, contents):
    from ig4.storage.errors import StorageError

    with pytest.raises((IntegrityError, StorageError)):
        put(store, component, [(int(contents[0]), 1.0, "and an error", None)])


def test_failures_can_be_forgotten_and_scores_stay(store, component, contents, dataset):
    put(
        store,
        component,
        [(int(contents[0]), None, "broken", None), (int(contents[1]), 1.0, None, None)],
    )
    with store.writing() as connection:
        scores.delete_failures(connection, dataset.id, [component])
    with store.reading() as connection:
        assert scores.scored_ids(connection, component).tolist() == [int(contents[1])]


def test_failures_of_another_data_set_are_not_forgotten(store, component, contents, dataset):
    with store.writing() as connection:
        other = datasets.content_ids(connection, ["of another data set"])["of another data set"]
    put(store, component, [(other, None, "broken", None)])
    with store.writing() as connection:
        scores.delete_failures(connection, dataset.id, [component])
    with store.reading() as connection:
        assert scores.scored_ids(connection, component).tolist() == [other]


def test_scores_wide_has_a_column_for_each_scorer_by_its_plain_name(
    store, component, contents, dataset
):
    put(store, component, [(int(contents[1]), 31.5, None, None)])
    with store.writing() as connection:
        scores.bind(connection, dataset.id, 'clip "l%"', component)
    with store.reading() as connection:
        rows = connection.execute(
            text("SELECT * FROM scores_wide ORDER BY external_id")
        ).mappings().all()  # fmt: skip
    assert list(rows[0]) == [
        "external_id", "dataset", "instruction", "answer", "image_path", 'clip "l%"', "cluster",
        "final_score", "selected",
    ]  # fmt: skip
    assert [row['clip "l%"'] for row in rows] == [None, 31.5, None, None, None]


def test_scores_wide_goes_by_what_a_name_stands_for_in_each_data_set(
    store, component, contents, dataset
):
    put(store, component, [(int(contents[0]), 1.0, None, None)])
    with store.writing() as connection:
        other = runs.component_id(connection, component_row("other options"))
        scores.put(connection, other, None, [(int(contents[0]), 2.0, None, None)])
        scores.bind(connection, dataset.id, "clip", component)
        scores.bind(connection, dataset.id, "clip", other)
    with store.reading() as connection:
        assert connection.scalar(
            text("SELECT clip FROM scores_wide WHERE external_id = 's0'")
        ) == 2.0  # fmt: skip


def test_scores_long_tells_value_error_and_details(store, component, contents, dataset):
    rows = [(int(contents[0]), 1.5, None, '{"n": 3}'), (int(contents[1]), None, "broken", None)]
    put(store, component, rows)
    with store.writing() as connection:
        scores.bind(connection, dataset.id, "clip", component)
    with store.reading() as connection:
        found = connection.execute(
            text("SELECT external_id, value, error, details FROM scores_long ORDER BY external_id")
        ).all()  # fmt: skip
    assert [tuple(row) for row in found] == [
        ("s0", 1.5, None, '{"n": 3}'),
        ("s1", None, "broken", None),
    ]


def test_embeddings_come_back_bit_for_bit(store, component):
    vector = np.random.default_rng(0).normal(size=7).astype(np.float32)
    with store.writing() as connection:
        image = {"sha256": "f" * 64, "bytes": 1, "width": 1, "height": 1, "format": "png"}
        ids = datasets.image_ids(connection, [image, image | {"sha256": "e" * 64}])
        good, bad = ids["f" * 64], ids["e" * 64]
        scores.put_embeddings(connection, component, None, [(good, vector), (bad, "corrupt")])
    with store.reading() as connection:
        found = dict(reading.of_images(connection, store.vectors, component, [good, bad, 999]))
    assert set(found) == {good, bad}
    assert found[good].tobytes() == vector.tobytes()
    assert found[bad] == "corrupt"


def test_a_column_tells_its_component_options_counts_and_runs(store, component, contents, dataset):
    with store.writing() as connection:
        run = runs.start(connection, "score", config={"path": "x"}, versions={})
        rows = [(int(contents[n]), float(n), None, "{}") for n in range(3)]
        scores.put(connection, component, run, [*rows, (int(contents[3]), None, "broken", None)])
        scores.bind(connection, dataset.id, "mine", component, options={"values": {}, "hidden": []})
    with store.reading() as connection:
        (column,) = scorecolumns.list_all(connection, dataset.id)
        counts = scorecolumns.counts(connection, dataset.id, component)
        (given,) = scorecolumns.runs(connection, dataset.id, component)
        again = scorecolumns.of_fingerprint(connection, "mine", "a", column.options)
    assert (column.name, column.component, column.distribution) == ("mine", "clip", "ig4")
    assert (column.options, column.identity) == ({"values": {}, "hidden": []}, {"model": "x"})
    assert counts == scorecolumns.ScoreCounts(3, 1, 0.0, 1.0, 2.0)
    assert (given.run_id, given.config, given.count) == (run, {"path": "x"}, 4)
    assert again == column


def test_a_column_is_renamed_and_dropped_with_its_values(store, component, contents, dataset):
    put(store, component, [(int(c), 1.0, None, "{}") for c in contents])
    with store.writing() as connection:
        scores.bind(connection, dataset.id, "mine", component)
        scorecolumns.rename(connection, dataset.id, "mine", "yours")
        (column,) = scorecolumns.list_all(connection, dataset.id)
        assert (column.name, column.options) == ("yours", None)
        assert scorecolumns.drop(connection, dataset.id, column) == 5
        assert scorecolumns.list_all(connection, dataset.id) == []
        assert connection.scalar(text("SELECT count(*) FROM score_details")) == 0
    assert np.isnan(values(store, component, contents)).all()


def test_samples_of_a_repeated_id_are_found_in_their_order(store, contents):
    names = ("a", "b#2", "a#3", "a#2", "c#1")
    with store.writing() as connection:
        row = datasets.put(
            connection, "r", path="p", format="f", options={}, image_root=None, header=None
        )
        datasets.put_samples(
            connection,
            [
                (row.id, name, n, int(contents[n]), "i", "a", None, "{}", None, None, None, None)
                for n, name in enumerate(names)
            ],
        )
        found = samples.numbered_ids(connection, row.id)
    assert {name: list(members) for name, members in found.items()} == {"a": ["a", "a#3", "a#2"]}


def test_the_settings_of_the_last_clustering_are_found(store, component, dataset):
    none = np.empty(0, dtype=np.int64)
    with store.writing() as connection:
        for n, settings in enumerate([{"n": 1}, {"n": 2}, None]):
            clusters.put(
                connection, dataset_id=dataset.id, name="k", component_id=component,
                inputs=str(n), k=2, seed=1, imported=False, run_id=None, samples=none,
                labels=none, settings=settings,
            )  # fmt: skip
        assert clusters.settings(connection, dataset.id) == {"n": 2}
        assert clusters.settings(connection, dataset.id, "other") is None


def test_several_names_are_bound_at_once_and_others_let_go(store, component, dataset):
    with store.writing() as connection:
        other = runs.component_id(connection, component_row("b"))
        scores.bind_all(connection, dataset.id, {"grades": component, "grades.old": other})
        scores.bind_all(
            connection,
            dataset.id,
            {"grades": component, "grades.maps": other},
            options={"x": 1},
            unbound=["grades.old"],
        )
    with store.reading() as connection:
        rows = scorecolumns.list_all(connection, dataset.id)
        assert {row.name: row.options for row in rows} == {
            "grades": {"x": 1}, "grades.maps": {"x": 1},
        }  # fmt: skip
        wide = connection.execute(text("SELECT * FROM scores_wide"))
        assert [name for name in tuple(wide.keys()) if "grades" in name] == [
            "grades",
            "grades.maps",
        ]


def test_what_any_of_several_failed_on_is_forgotten_of_all(store, component, contents, dataset):
    with store.writing() as connection:
        other = runs.component_id(connection, component_row("b"))
    first, second, third = map(int, contents[:3])
    put(store, component, [(c, 1.0, None, "{}") for c in (first, second, third)])
    put(
        store,
        other,
        [(first, 2.0, None, None), (second, None, "no", None), (third, 3.0, None, None)],
    )
    with store.writing() as connection:
        scores.delete_failures_of_any(connection, dataset.id, [component, other])
    for one in (component, other):
        with store.reading() as connection:
            assert scores.scored_ids(connection, one).tolist() == [first, third]
