"""The ending of a target says its format, or it is an error that says which one fits."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.errors import UsageError
from ig4.core.files.reading.tables import is_parquet

from ...conftest import record


@pytest.fixture
def dataset(folder, read):
    folder.picture("a.png", "red")
    folder.write(record("a", "one, two", "a.png"))
    return read().dataset


@pytest.mark.parametrize(
    ("target", "form"),
    [
        ("a.parquet", "parquet"),
        ("a.csv", "csv"),
        ("a.TSV", "csv"),
        ("a.json", "llava"),
        ("a.jsonl", "llava"),
        ("folder", "llava"),
    ],
)
def test_the_ending_decides(session, dataset, tmp_path, target, form):
    out = tmp_path / "out" / target
    assert export(session, dataset, ExportTarget(out)).format == form
    if form == "parquet":
        assert is_parquet(out)
    elif target == "a.TSV":
        assert out.read_text().splitlines()[0].split("\t")[0] == "id"


def test_json_lines_of_a_set_in_another_format_are_plain_json_lines(session, dataset, tmp_path):
    export(session, dataset, ExportTarget(tmp_path / "a.parquet"))
    from ig4.core.engine.ingesting.ingest import DatasetSource, ingest

    table = ingest(session, DatasetSource(tmp_path / "a.parquet", name="table")).dataset
    done = export(session, table, ExportTarget(tmp_path / "b.jsonl", images="copy"))
    assert done.format == "jsonl"
    assert json.loads((tmp_path / "b.jsonl").read_text())["answer"] == "one, two"
    with pytest.raises(UsageError, match=r"--format \(minigpt4, llava, sharegpt, jsonl\); for"):
        export(session, table, ExportTarget(tmp_path / "b.json"))


@pytest.mark.parametrize(
    ("target", "form", "told"),
    [
        ("a.parquet", "llava", r"\.parquet, which is for --format parquet; files of llava end in"),
        ("a.json", "csv", r"which is for --format .*llava"),
        ("a.json", "hf", "hf writes a folder"),
        ("a.arrow", None, r"no format is written as \.arrow files .*--format hf: folders"),
        ("a.txt", None, "no format is written as .txt files"),
        ("llava-v1.5", None, r"no format is written as \.5 files"),
        ("a.txt", "llava", r"files of llava end in \.json"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_what_does(
    session, dataset, tmp_path, target, form, told
):
    with pytest.raises(UsageError, match=told):
        export(session, dataset, ExportTarget(tmp_path / target, format=form))
    assert not (tmp_path / target).exists()


def test_a_folder_that_is_there_may_have_a_dot_in_its_name(session, dataset, tmp_path):
    (tmp_path / "v1.5").mkdir()
    done = export(session, dataset, ExportTarget(tmp_path / "v1.5"))
    assert done.format == "llava"
    assert (tmp_path / "v1.5" / "llava.json").is_file()
