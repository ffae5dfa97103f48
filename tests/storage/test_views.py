"""The views: a sample with its image and what the latest selection says; a selected sample."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from ig4.storage import (
    clusters,
    datasets,
    membership,
    runs,
    scores,
    selectedscores,
    selectionnames,
    selections,
)
from ig4.storage.connect import connect, parse, transaction
from ig4.storage.membership import Member
from ig4.storage.querying.query import run_query
from ig4.storage.runs import ComponentRow
from ig4.storage.selectedscores import SelectionColumn
from ig4.storage.selections import SelectionItem
from ig4.storage.subsets import OWN, SUBSETS
from ig4.storage.versions import migrate, upgrade


@pytest.fixture
def cats(store):
    """Samples 1 to 3 of `cats`, the first of which shows two images."""
    with store.writing() as connection:
        return make(connection, "cats", ["1", "2", "3"])


def make(connection, name, ids):
    row = datasets.put(
        connection, name, path=name, format="f", options={}, image_root=None, header=None
    )
    contents = datasets.content_ids(connection, [f"{name} {one}" for one in ids])
    datasets.put_samples(
        connection,
        [
            (row.id, one, place, contents[f"{name} {one}"], f"q{one}", f"a{one}", None, "{}", None,
             None, None, None)
            for place, one in enumerate(ids)
        ],
    )  # fmt: skip
    return row.id


def component(connection, name="quota", kind="selector", distribution=OWN):
    row = ComponentRow(kind, name, distribution, "1", {}, f"{kind} {name}")
    return runs.component_id(connection, row)


def choose(store, dataset, names, *, selector="quota", clustering=None, columns=(), quota=None):
    with store.writing() as connection:
        known = {
            row.external_id: row
            for row in connection.execute(text("SELECT id, external_id, content_id FROM samples"))
        }
        items = [
            SelectionItem(known[name].id, known[name].content_id, name, rank, 4, 10.0 - rank, quota)
            for rank, name in enumerate(names, start=1)
        ]
        return selections.put(
            connection, dataset_id=dataset, component_id=component(connection, selector),
            clustering_id=clustering, config={}, digest="d", run_id=None, items=items,
            scores=columns,
        )  # fmt: skip


def cluster(store, dataset, label, name="k"):
    with store.writing() as connection:
        ids = np.array([one for (one,) in connection.execute(
            text(f"SELECT id FROM samples WHERE dataset_id = {dataset} ORDER BY id"))])  # fmt: skip
        return clusters.put(
            connection, dataset_id=dataset, name=name, inputs=name, k=2, seed=0, imported=False,
            component_id=component(connection, "kmeans", "clusterer"), run_id=None, samples=ids,
            labels=np.full(len(ids), label),
        )  # fmt: skip


def asked(store, sql):
    """What a query that is not trusted gets, as rows by column name."""
    with run_query(store.engine.url, sql) as result:
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def test_a_sample_has_the_path_of_its_first_image(store, cats):
    with store.writing() as connection:
        for number, name in enumerate(("b.jpg", "a.jpg"), start=1):
            connection.execute(text(
                "INSERT INTO image_files (id, dataset_id, name, embedded, path) VALUES "
                f"({number}, {cats}, '{name}', false, '/images/{name}')"
            ))  # fmt: skip
            first = connection.scalar(text("SELECT min(id) FROM samples"))
            connection.execute(text(
                f"INSERT INTO sample_images VALUES ({first}, {number - 1}, {number})"
            ))  # fmt: skip
    choose(store, cats, ["1"])
    for view in ("scores_wide", "selections_wide"):
        rows = asked(store, f"SELECT image_path FROM {view} WHERE external_id = '1'")
        assert rows == [{"image_path": "/images/b.jpg"}]
    rows = asked(store, "SELECT image_path FROM scores_wide WHERE external_id = '2'")
    assert rows == [{"image_path": None}]


def test_a_sample_says_whether_the_latest_selection_has_it(store, cats):
    everything = "SELECT external_id, final_score, selected FROM scores_wide ORDER BY external_id"
    assert [row["selected"] for row in asked(store, everything)] == [False] * 3
    choose(store, cats, ["1"])
    choose(store, cats, ["3", "2"])
    rows = asked(store, everything)
    assert [(row["external_id"], row["final_score"], bool(row["selected"])) for row in rows] == [
        ("1", None, False), ("2", 8.0, True), ("3", 9.0, True),
    ]  # fmt: skip
    assert len(asked(store, "SELECT 1 AS one FROM scores_wide WHERE selected")) == 2


def test_subsets_that_nobody_made_are_in_neither_view(store, cats):
    mine = choose(store, cats, ["1"])
    choose(store, cats, ["3"], selector=SUBSETS)
    assert asked(store, "SELECT external_id FROM scores_wide WHERE selected") == [
        {"external_id": "1"}
    ]
    assert asked(store, "SELECT selection_id FROM selections_wide") == [{"selection_id": mine}]


def test_the_cluster_is_of_the_clustering_that_was_selected_by_else_of_the_newest(store, cats):
    labels = "SELECT DISTINCT cluster FROM scores_wide"
    assert asked(store, labels) == [{"cluster": None}]
    old = cluster(store, cats, 1, "old")
    cluster(store, cats, 2, "new")
    assert asked(store, labels) == [{"cluster": 2}]
    choose(store, cats, ["1"], clustering=old)
    assert asked(store, labels) == [{"cluster": 1}]
    choose(store, cats, ["1"])  # without clusters
    assert asked(store, labels) == [{"cluster": 2}]
    with store.writing() as connection:
        clusters.mark_used(connection, old, "old")
    assert asked(store, labels) == [{"cluster": 1}]


def test_samples_of_a_mixture_say_what_its_selection_says(store, cats):
    with store.writing() as connection:
        boats = make(connection, "boats", ["7"])
        alone = make(connection, "alone", ["8"])
        mixture = membership.put(
            connection, "boats+cats", [Member(boats, "boats"), Member(cats, "cats")]
        )
    choose(store, alone, ["8"])
    choose(store, cats, ["1"])
    number = choose(store, mixture, ["7", "2"])
    chosen = asked(store, "SELECT dataset, external_id FROM scores_wide WHERE selected")
    assert sorted(map(tuple, map(dict.values, chosen))) == [
        ("alone", "8"), ("boats", "7"), ("cats", "2"),
    ]  # fmt: skip
    rows = asked(
        store,
        f"SELECT dataset, external_id FROM selections_wide WHERE selection_id = {number} "
        "ORDER BY rank",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("boats+cats", "boats/7"), ("boats+cats", "cats/2"),
    ]  # fmt: skip
    assert len(asked(store, "SELECT 1 AS one FROM scores_wide")) == 5


def test_a_selected_sample_has_all_that_it_was_selected_by(store, cats):
    with store.writing() as connection:
        clip, other = (component(connection, name, "scorer") for name in ("clip", "other"))
    columns = [
        SelectionColumn("clip", clip, [0.31, None], [31.0, None]),
        SelectionColumn('it\'s "50 %"', other, [7, 8], [70, 80]),
    ]
    number = choose(store, cats, ["3", "1"], columns=columns, quota=2)
    choose(store, cats, ["2"])
    with store.writing() as connection:
        selectionnames.put(connection, number, "best", None)
    rows = asked(store, "SELECT * FROM selections_wide WHERE selection = 'best' ORDER BY rank")
    assert rows == [
        {
            "selection_id": number, "selection": "best", "dataset": "cats", "external_id": name,
            "rank": rank, "final_score": 10.0 - rank, "cluster": 4, "quota": 2,
            "instruction": f"q{name}", "answer": f"a{name}", "image_path": None, "clip": value,
            "clip_percent": percent, "it's \"50 %\"": 6.0 + rank,
            "it's \"50 %\"_percent": 60.0 + 10 * rank,
        }
        for rank, name, value, percent in ((1, "3", 0.31, 31.0), (2, "1", None, None))
    ]  # fmt: skip
    rows = asked(store, "SELECT clip, clip_percent, selection, quota FROM selections_wide "
                 "WHERE external_id = '2'")  # fmt: skip
    assert rows == [{"clip": None, "clip_percent": None, "selection": None, "quota": None}]
    with store.reading() as connection:
        assert selectedscores.read(connection, number) == columns
        assert [item.quota for item in selections.samples(connection, number)] == [2, 2]


def test_scorers_that_are_called_as_a_column_of_a_view_give_way_to_it(store, cats):
    """Names that are columns since the view has more of them; databases know no case."""
    names = ["Cluster", "cluster", "selected", "x", "x_percent"]
    with store.writing() as connection:
        columns = []
        for place, name in enumerate(names):
            number = component(connection, name, "scorer")
            (content,) = connection.execute(text("SELECT min(content_id) FROM samples")).one()
            scores.put(connection, number, None, [(content, float(place), None, None)])
            scores.bind(connection, cats, name, number)
            columns.append(SelectionColumn(name, number, [float(place)], [10.0 * place]))
    choose(store, cats, ["1"], columns=columns)
    (row,) = asked(store, "SELECT * FROM scores_wide WHERE selected")
    assert row["cluster"] is None
    assert [row[name] for name in (
        "scorer:Cluster", "scorer:scorer:cluster", "scorer:selected", "x", "x_percent",
    )] == [0, 1, 2, 3, 4]  # fmt: skip
    (row,) = asked(store, "SELECT * FROM selections_wide")
    assert row["cluster"] == 4
    assert [row[name] for name in (
        "scorer:Cluster", "scorer:scorer:cluster", "selected", "x", "x_percent",
        "scorer:x_percent", "x_percent_percent",
    )] == [0, 1, 2, 3, 4, 30, 40]  # fmt: skip


def test_more_scorers_than_a_query_may_join_tables(store, cats):
    with store.writing() as connection:
        columns = [
            SelectionColumn(f"s{n}", component(connection, f"s{n}", "scorer"), [n], [n])
            for n in range(70)
        ]
        scores.bind_all(connection, cats, {one.name: one.component_id for one in columns})
    choose(store, cats, ["1"], columns=columns)
    (row,) = asked(store, "SELECT * FROM selections_wide")
    assert (row["s69"], row["s69_percent"]) == (69, 69)
    (row,) = asked(store, "SELECT * FROM scores_wide WHERE selected")
    assert "s69" in row


def test_selections_of_an_older_ig4_are_in_the_views_without_percents(location):
    engine = connect(parse(location))
    with transaction(engine, writes=True) as connection:
        migrate(connection, "0016")
        for statement in OLD.split(";\n"):
            connection.exec_driver_sql(statement)
    upgrade(engine)
    with transaction(engine, writes=False) as connection:
        rows = connection.execute(text("SELECT * FROM selections_wide")).mappings().all()
        assert [(row["external_id"], row["rank"], row["quota"]) for row in rows] == [("a", 1, None)]
        assert connection.scalar(text("SELECT count(*) FROM scores_wide WHERE selected")) == 1
        assert selections.find(connection, 1).name is None
    engine.dispose()


OLD = """
INSERT INTO datasets (id, name, path, format, options, created_at) VALUES
  (1, 'old', '/data', 'jsonl', '{}', '2026-01-01');
INSERT INTO contents (id, hash) VALUES (1, 'one');
INSERT INTO samples (id, dataset_id, ordinal, external_id, content_id, instruction, answer, raw)
  VALUES (1, 1, 1, 'a', 1, 'q', 'a', '{}');
INSERT INTO components (id, kind, name, distribution, version, options, fingerprint, created_at)
  VALUES (1, 'selector', 'quota', 'ig4', '1', '{}', 'f', '2026-01-01');
INSERT INTO selections (id, dataset_id, component_id, size, config, digest, created_at)
  VALUES (1, 1, 1, 1, '{}', 'd', '2026-01-01');
INSERT INTO selected_samples (selection_id, rank, sample_id, content_id, cluster, final_score)
  VALUES (1, 1, 1, 1, 0, 3.5)
"""
