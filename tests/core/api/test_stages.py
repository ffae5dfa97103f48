"""Each stage from Python does what its command does."""

from __future__ import annotations

import json

import pytest
from PIL import Image

import ig4


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Six samples with images of two colours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    rows = []
    for n in range(6):
        Image.new("RGB", (40, 40), (250 * (n % 2), 0, 90)).save(tmp_path / "set" / f"{n}.png")
        turns = [("human", "<image>\nWhat?"), ("gpt", "word " * (n + 1))]
        talk = [{"from": role, "value": text} for role, text in turns]
        rows.append({"id": f"s{n}", "image": f"{n}.png", "conversations": talk})
    (tmp_path / "set" / "llava.json").write_text(json.dumps(rows))
    return tmp_path / "set" / "llava.json"


def test_a_data_set_is_ingested_into_a_database_that_is_made(data):
    done = ig4.ingest(data, name="mine")
    assert (done.dataset.name, done.samples, done.unchanged) == ("mine", 6, False)
    assert ig4.ingest(data, name="mine").unchanged
    assert repr(done) == "<IngestResult mine: 6 samples (read as llava)>"


def test_ingesting_another_data_set_of_a_name_has_to_be_asked_for(data, tmp_path):
    ig4.ingest(data, name="mine")
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"id": "a", "instruction": "Q?", "answer": "A."}) + "\n")
    with pytest.raises(ig4.Ig4Error):
        ig4.ingest(other, name="mine")
    assert ig4.ingest(other, name="mine", replace=True).samples == 1


def test_scores_are_computed_with_options_and_vectors_alone(data):
    ig4.ingest(data)
    done = ig4.score(scorers=["length"], options={"length": {"unit": "words"}}, check=False)
    assert (dict(done.done), done.checked) == ({"length": 6}, None)
    assert ig4.query("SELECT max(length) AS m FROM scores_wide")[0]["m"] == 6
    assert dict(ig4.score(spaces=["text"]).done) == {}
    assert dict(ig4.score(scorers=["length"]).done) == {"length": 0}


def test_clusters_are_made_of_any_space(data):
    ig4.ingest(data)
    ig4.score(spaces=["text"])
    done = ig4.cluster(clusterer="kmeans", k=2, space="text", seed=7)
    assert (len(done.sizes), sum(done.sizes.values()), done.space) == (2, 6, "text")
    assert repr(done) == "<ClusterResult kmeans: 2 clusters of llava>"
    with pytest.raises(ig4.Ig4Error, match="n_init"):
        ig4.cluster(clusterer="kmeans", k=2, space="text", options={"n_init": "no number"})


def test_a_selection_is_exported_by_number_or_all_is(data, tmp_path):
    ig4.ingest(data)
    ig4.score(scorers=["length"], check=False)
    made = ig4.select(size=2, selector="topk")
    done = ig4.export("best/llava.json", selection=made.id, images="copy")
    assert (done.samples, done.copied, done.format) == (2, 2, "llava")
    written = json.loads((tmp_path / "best" / "llava.json").read_text())
    assert [row["id"] for row in written] == ["s5", "s4"]
    assert ig4.export("all/llava.json", selection="all").samples == 6
    assert ig4.export("stub", trainer="llamafactory").samples == 2
    assert (tmp_path / "stub" / "dataset_info.json").exists()
    ig4.export("with/llava.json", extras=["scores"])
    written = json.loads((tmp_path / "with" / "llava.json").read_text())
    assert written[0]["ig4"] == {"scores": {"length": 30.0}}
    assert (tmp_path / "with" / "README.md").exists()
    with pytest.raises(ig4.Ig4Error, match="say for which one"):
        ig4.export("x.json", model="M")


def test_rows_of_a_query_are_a_list_with_columns_a_table_and_a_frame(data):
    ig4.ingest(data)
    rows = ig4.query("SELECT external_id AS id, answer FROM samples ORDER BY ordinal")
    assert rows == [{"id": f"s{n}", "answer": "word " * (n + 1)} for n in range(6)]
    assert isinstance(rows, list)
    assert rows.columns == ("id", "answer")
    assert "<b>6 rows</b>" in rows._repr_html_()
    none = ig4.query("SELECT external_id AS id FROM samples WHERE 1 = 0")
    assert (none, none.columns) == ([], ("id",))
    pandas = pytest.importorskip("pandas")
    assert isinstance(rows.to_pandas(), pandas.DataFrame)
    assert none.to_pandas().columns.tolist() == ["id"]
