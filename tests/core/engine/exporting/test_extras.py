"""Exports with scores beside their records: they are read again, and so are the scores."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import samples, scorecolumns, scores

from ...conftest import record

ALL = ("scores", "cluster", "rank", "percents", "final", "group")
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """Four samples with images, and the scores `gpt` and `fine.part`, which d lacks."""
    for n, name in enumerate(NAMES):
        folder.picture(f"images/{name}.png", (n, 0, 0))
    folder.write(*(record(name, f"answer {name}", f"images/{name}.png") for name in NAMES))
    dataset = read().dataset
    rows = [{"id": n, "gpt": 10.5 * at, "part": at} for at, n in enumerate(NAMES[:3], start=1)]
    (tmp_path / "x.json").write_text(json.dumps([*rows, {"id": "d", "gpt": 5, "part": None}]))
    for name, column in (("gpt", "gpt"), ("fine.part", "part")):
        import_scores(session, dataset, ScoreColumn(tmp_path / "x.json", name, column))
    (tmp_path / "c.json").write_text(json.dumps({"3": ["a", "b"], "5": ["c", "d"]}))
    import_clusters(session, dataset, tmp_path / "c.json", "given")
    return dataset


@pytest.fixture
def chosen(session, dataset):
    request = SelectionRequest(
        size=3, weights={"gpt": 2.0}, selector=Choice("selector", "topk"), scale="minmax"
    )
    return select(session, dataset, request)


def written(session, dataset, chosen, target, **options):
    extras = options.pop("extras", ALL)
    return export(session, dataset, ExportTarget(target, extras=extras, **options),
                  chosen and chosen.id)  # fmt: skip


def test_every_record_has_its_own_values_under_one_key(session, dataset, chosen, tmp_path):
    written(session, dataset, chosen, tmp_path / "out" / "llava.json")
    rows = json.loads((tmp_path / "out" / "llava.json").read_text())
    assert [row["id"] for row in rows] == ["c", "b", "a"]
    best = rows[0]["ig4"]
    assert best["scores"] == {"gpt": 31.5, "fine.part": 3.0}
    assert best["percents"] == {"gpt": 100.0}
    assert (best["rank"], best["cluster"], best["final"]) == (1, 5, 200.0)
    assert isinstance(best["group"], str)
    assert [row["ig4"]["rank"] for row in rows] == [1, 2, 3]
    assert set(rows[0]) == {"id", "image", "conversations", "ig4"}


@pytest.mark.parametrize(
    ("target", "form"),
    [("llava.json", "llava"), ("x.jsonl", "jsonl"), ("share.json", "sharegpt"),
     ("filter_cap.json", "minigpt4"), ("x.csv", "csv"), ("x.parquet", "parquet"),
     ("saved", "hf")],
)  # fmt: skip
def test_an_export_with_extras_is_the_same_data_set_and_gives_its_scores_back(
    session, dataset, chosen, tmp_path, target, form
):
    if form in ("parquet", "hf"):
        pytest.importorskip("pyarrow")
    path = tmp_path / "out" / target
    written(session, dataset, chosen, path, format=form, images="copy")
    again = ingest(session, DatasetSource(path, name="again")).dataset
    assert again.format == form
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, again.id)
        rows = samples.by_id(connection, ids.tolist())
    assert [row.external_id for row in rows] == ["c", "b", "a"]
    assert [row.answer for row in rows] == ["answer c", "answer b", "answer a"]
    assert all(row.problem is None and len(row.images) == 1 for row in rows)
    assert {row.meta for row in rows} == {None}
    if form == "hf":
        return  # a folder, of which no table is read
    nested = form in ("llava", "jsonl", "sharegpt", "minigpt4")
    column = "ig4.scores.fine.part" if nested else "ig4_fine.part"
    own = {"id_column": "image_id"} if form == "minigpt4" else {}
    back = import_scores(session, again, ScoreColumn(path, "back", column, **own))
    assert (back.taken, back.without) == (3, 0)
    with session.store.reading() as connection:
        bound = {row.name: row for row in scorecolumns.list_all(connection, again.id)}
        values = scores.values(connection, bound["back"].component_id, contents)
    assert values.tolist() == [3.0, 2.0, 1.0]


def test_exporting_again_replaces_what_was_beside_the_records(session, dataset, chosen, tmp_path):
    written(session, dataset, chosen, tmp_path / "one" / "x.jsonl", format="jsonl", images="copy")
    again = ingest(session, DatasetSource(tmp_path / "one" / "x.jsonl", name="again")).dataset
    drawn = select(session, again, SelectionRequest(size=1, selector=Choice("selector", "random")))
    written(session, again, drawn, tmp_path / "two" / "x.jsonl", extras=("rank",))
    (row,) = map(json.loads, (tmp_path / "two" / "x.jsonl").read_text().splitlines())
    assert row["ig4"] == {"rank": 1}


def test_columns_of_a_table_are_in_the_header_once(session, dataset, chosen, tmp_path):
    written(session, dataset, chosen, tmp_path / "one" / "x.csv", images="copy")
    again = ingest(session, DatasetSource(tmp_path / "one" / "x.csv", name="again")).dataset
    drawn = select(session, again, SelectionRequest(size=2, selector=Choice("selector", "random")))
    written(session, again, drawn, tmp_path / "two" / "x.csv", extras=("rank",))
    head, *rows = (tmp_path / "two" / "x.csv").read_text().splitlines()
    assert head.split(",").count("ig4_rank") == 1
    assert [row.rpartition(",")[2] for row in rows] == ["1", "2"]


def test_hugging_face_s_features_know_the_columns(session, dataset, chosen, tmp_path):
    load = pytest.importorskip("datasets").load_from_disk
    written(session, dataset, chosen, tmp_path / "saved", format="hf")
    table = load(str(tmp_path / "saved"))
    assert table["ig4_rank"][:] == [1, 2, 3]
    assert table["ig4_gpt"][:] == [31.5, 21.0, 10.5]


def test_all_samples_have_scores_and_clusters_but_no_rank(session, dataset, tmp_path):
    written(session, dataset, None, tmp_path / "all.jsonl", format="jsonl",
            extras=("scores", "cluster"))  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [row["ig4"]["cluster"] for row in rows] == [3, 3, 5, 5]
    assert rows[3]["ig4"]["scores"] == {"gpt": 5.0, "fine.part": None}
    with pytest.raises(UsageError, match="--with rank is of a selection"):
        written(session, dataset, None, tmp_path / "b.jsonl", extras=("scores", "rank"))


def test_what_cannot_be_written_is_refused_before_anything_is(
    session, dataset, chosen, tmp_path, folder, read
):
    with pytest.raises(UsageError, match=r"--with sores: .*did you mean scores"):
        written(session, dataset, chosen, tmp_path / "a.jsonl", extras=("sores",))
    members = tmp_path / "members.json"
    members.write_text(json.dumps({"a": "one two", "b": "three four"}))
    plain = ingest(session, DatasetSource(members)).dataset
    drawn = select(session, plain, SelectionRequest(size=1, selector=Choice("selector", "random")))
    with pytest.raises(UsageError, match="cannot hold anything beside such records"):
        written(session, plain, drawn, tmp_path / "b.json", extras=("rank",))
    with pytest.raises(UsageError, match="has no clusters to write"):
        written(session, plain, drawn, tmp_path / "b.csv", extras=("cluster",))
    assert not (tmp_path / "a.jsonl").exists()
    assert not (tmp_path / "b.json").exists()


def test_scores_are_those_of_the_selection_though_they_changed(session, dataset, chosen, tmp_path):
    (tmp_path / "new.csv").write_text("id,x\n" + "".join(f"{name},1\n" for name in NAMES))
    new = ScoreColumn(tmp_path / "new.csv", "gpt", "x", replace=True)
    import_scores(session, dataset, new)
    written(session, dataset, chosen, tmp_path / "x.jsonl", format="jsonl")
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row["ig4"]["scores"]["gpt"] for row in rows] == [31.5, 21.0, 10.5]
