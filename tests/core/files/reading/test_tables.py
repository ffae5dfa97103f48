"""Tables of scores and clusters from elsewhere."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.reading import tables
from ig4.core.files.reading.tables import read_clusters, read_rows

ROWS = [{"image_id": "2", "clip": 30.5}, {"image_id": "3", "clip": 28.0}]


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_objects_is_a_table(tmp_path):
    assert list(read_rows(written(tmp_path / "a.json", json.dumps(ROWS)))) == ROWS


def test_json_lines_are_a_table(tmp_path):
    text = "\n".join(json.dumps(row) for row in ROWS)
    assert list(read_rows(written(tmp_path / "a.jsonl", text))) == ROWS


def test_the_only_list_of_objects_in_an_object_is_found(tmp_path):
    text = json.dumps({"info": {"by": "me"}, "licences": [1, 2], "annotations": ROWS})
    assert list(read_rows(written(tmp_path / "a.json", text))) == ROWS


def test_of_several_lists_the_user_says_which(tmp_path):
    file = written(tmp_path / "a.json", json.dumps({"train": ROWS, "test": ROWS[:1]}))
    with pytest.raises(UsageError, match=r"'train', 'test'.*--key"):
        list(read_rows(file))
    assert list(read_rows(file, key="test")) == ROWS[:1]


@pytest.mark.parametrize(("name", "sep"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_csv_gives_texts_whatever_separates_them(tmp_path, name, sep):
    file = written(tmp_path / name, f'id{sep}score\n1{sep}"0.5"\n\n2{sep}0.7\n')
    assert list(read_rows(file)) == [{"id": "1", "score": "0.5"}, {"id": "2", "score": "0.7"}]


def test_parquet_is_a_table(tmp_path):
    file = tmp_path / "scores"  # told by its content, not by its name
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    assert list(read_rows(file)) == ROWS


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="row 2 is not a JSON object"):
        list(read_rows(written(tmp_path / "a.json", '[{"a": 1}, 2]')))
    with pytest.raises(DatasetError, match="no list of objects"):
        list(read_rows(written(tmp_path / "b.json", '{"a": [1]}')))
    with pytest.raises(DatasetError, match="row 1 has 3 cells, its header 2"):
        list(read_rows(written(tmp_path / "c.csv", "a,b\n1,2,3\n")))
    with pytest.raises(DatasetError, match="line 1, column 1"):
        list(read_rows(written(tmp_path / "d.json", "oops")))


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_missing_and_empty_files_are_told_by_name(tmp_path, name):
    with pytest.raises(DatasetError, match=rf"{name}: there is no such file"):
        list(read_rows(tmp_path / name))
    with pytest.raises(DatasetError, match=rf"{name} is empty"):
        list(read_rows(written(tmp_path / name, "")))


def test_a_cut_parquet_file_is_an_error(tmp_path):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"a\.parquet is not a whole Parquet file"):
        list(read_rows(file))


def test_another_encoding_is_suggested_and_taken(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("id,caption\n1,出口是左边的门\n".encode("gb18030"))
    with pytest.raises(DatasetError, match="--encoding gb18030"):
        list(read_rows(file))
    assert list(read_rows(file, encoding="gb18030")) == [{"id": "1", "caption": "出口是左边的门"}]


def test_clusters_are_lists_of_ids_under_their_labels(tmp_path):
    file = written(tmp_path / "a.json", '{"9": ["2", 4], "0": [], "1": ["3"]}')
    assert list(read_clusters(file)) == [("2", "9"), ("4", "9"), ("3", "1")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "image_id,cluster\n2,9\n3,1\n"),
        ("a.json", '[{"id": 2, "label": 9}, {"id": "3", "label": 1.0}]'),
        ("a.json", '{"annotations": [{"id": 2, "label": 9}, {"id": 3, "label": 1}]}'),
    ],
)
def test_clusters_are_a_table_with_usual_columns(tmp_path, name, text):
    assert list(read_clusters(written(tmp_path / name, text))) == [("2", "9"), ("3", "1")]


def test_cluster_columns_can_be_named(tmp_path):
    file = written(tmp_path / "a.csv", "name,group\n2,9\n")
    with pytest.raises(UsageError, match="which column holds the ids"):
        list(read_clusters(file))
    with pytest.raises(UsageError, match=r"no column 'grp'.*'name', 'group'"):
        list(read_clusters(file, id_column="name", label_column="grp"))
    found = read_clusters(file, id_column="name", label_column="group")
    assert list(found) == [("2", "9")]


def test_a_row_without_label_is_an_error(tmp_path):
    file = written(tmp_path / "a.json", '[{"id": 2, "label": null}]')
    with pytest.raises(DatasetError, match="lacks 'id' or 'label'"):
        list(read_clusters(file))


@pytest.mark.shared
def test_the_authors_scores_and_clusters_are_read(shared):
    folder = shared / "data" / "instructiongpt4"
    scores = list(read_rows(folder / "full_score_data.json"))
    gpt = list(read_rows(folder / "gpt_final_score.json", encoding="gb18030"))
    published = json.loads((folder / "full_score_data.json").read_text("utf-8"))["annotations"]
    assert [row["image_id"] for row in scores] == [one["image_id"] for one in published] != []
    assert {row["image_id"] for row in scores} == {row["image_id"] for row in gpt}
    assert len(scores) == len(gpt)
    with pytest.raises(DatasetError, match="--encoding gb18030"):
        list(read_rows(folder / "gpt_final_score.json"))
    for name in ("spectral_clusters", "kmeans_clusters"):
        clusters = json.loads((folder / f"{name}.json").read_text("utf-8"))
        rows = list(read_clusters(folder / f"{name}.json"))
        assert len({sample for sample, _ in rows}) == len(rows) == len(scores)
        assert len({label for _, label in rows}) == len(clusters) > 1


@pytest.mark.parametrize("sheet", ["id,text\n1,{}\n", 'id,text\n1,"{}\n{}"\n', "{}{}"])
def test_a_row_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, sheet):
    monkeypatch.setattr(tables, "_MAX_ROW", 1 << 20)
    path = tmp_path / "a.csv"
    path.write_text(sheet.replace("{}", "x" * (1 << 20)))
    with pytest.raises(DatasetError, match="a row is longer than"):
        list(tables.csv_cells(path, "utf-8", ","))


def test_many_rows_may_be_longer_than_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MAX_ROW", 100)
    path = tmp_path / "a.csv"
    path.write_text("id\n" + 50 * f"{'x' * 90}\n")
    assert len(list(tables.csv_cells(path, "utf-8", ","))) == 51


def test_a_spreadsheet_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    monkeypatch.setattr("ig4.core.files.reading.spreadsheet.MAX_BYTES", 100)
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(DatasetError, match="unpacks to more than 100 bytes"):
        list(read_rows(tmp_path / "a.xlsx"))


def test_what_lies_in_an_object_of_a_row_is_named_by_a_path():
    row = {"id": "a", "ig4": {"scores": {"fine.part": 2.0, "clip": 1.0}}, "x.y": 3, "x": {"y": 4}}
    assert tables.cell(row, "ig4.scores.clip") == 1.0
    assert tables.cell(row, "ig4.scores.fine.part") == 2.0
    assert tables.cell(row, "x.y") == 3
    assert tables.cell(row, "ig4.scores.none") is None
    assert tables.cell(row, "id.deep") is None
    path = Path("t.json")
    assert tables.column_named(path, row, "ig4.scores.clip", (), "scores") == "ig4.scores.clip"
    with pytest.raises(UsageError, match=r"has no column 'ig4\.scores\.none'"):
        tables.column_named(path, row, "ig4.scores.none", (), "scores")
