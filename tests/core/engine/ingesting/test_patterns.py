"""Patterns: every format of several files takes braces and globs, here and elsewhere alike."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, default_name, ingest
from ig4.core.errors import DatasetError, UsageError

from ....file_server import serving

NUMBERS = (0, 1, 2, 10)
"""Of the parts: 10 comes after 2, not after 1."""


def row(number):
    return {"id": f"s{number}", "instruction": "What?", "answer": f"answer {number}"}


def write_lines(file, number):
    file.write_text(json.dumps(row(number)) + "\n")


def write_zipped(file, number):
    file.write_bytes(gzip.compress(json.dumps(row(number)).encode()))


def write_zstd(file, number):
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.CompressedOutputStream(str(file), "zstd") as out:
        out.write(json.dumps(row(number)).encode())


def write_csv(file, number):
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, row(0))
        writer.writeheader()
        writer.writerow(row(number))


def write_parquet(file, number):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([row(number)]), file)


def write_tar(file, number):
    data = json.dumps(row(number)).encode()
    with tarfile.open(file, "w") as tar:
        member = tarfile.TarInfo(f"s{number}.json")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


FORMATS = {
    ".jsonl": write_lines, ".jsonl.gz": write_zipped, ".jsonl.zst": write_zstd, ".csv": write_csv,
    ".parquet": write_parquet, ".tar": write_tar,
}  # fmt: skip
every_format = pytest.mark.parametrize("ending", FORMATS)


@pytest.fixture
def parts(tmp_path):
    """Return a function that writes parts whose names are no shards' to a folder."""

    def make(ending, numbers=NUMBERS, name="k{}"):
        folder = tmp_path / "parts"
        folder.mkdir(exist_ok=True)
        for number in numbers:
            FORMATS[ending](folder / f"{name.format(number)}{ending}", number)
        return folder

    return make


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))


def ids(session, dataset):
    sql = f"SELECT external_id FROM samples WHERE dataset_id = {dataset.id} ORDER BY ordinal"
    with session.store.reading() as connection:
        return [one for (one,) in connection.execute(text(sql))]


def read(session, path):
    return ids(session, ingest(session, DatasetSource(str(path), name="parts")).dataset)


@every_format
def test_braces_name_the_parts_of_one_data_set(session, parts, ending):
    assert read(session, parts(ending) / f"k{{0..2}}{ending}") == ["s0", "s1", "s2"]


@every_format
def test_a_star_names_them_by_their_numbers(session, parts, ending):
    assert read(session, parts(ending) / f"k*{ending}") == ["s0", "s1", "s2", "s10"]


@every_format
def test_a_server_is_asked_for_what_braces_name(session, parts, ending):
    with serving(parts(ending)) as server:
        assert read(session, f"{server.url}/k{{2..0}}{ending}") == ["s0", "s1", "s2"]


def test_words_folders_and_stars_go_together(session, parts):
    folder = parts(".jsonl", (1, 2))
    (folder / "more").mkdir()
    write_lines(folder / "more" / "k3.jsonl", 3)
    assert read(session, folder / "{k1,more/k*}.jsonl") == ["s1", "s3"]
    anywhere = DatasetSource(str(folder / "**" / "k*.jsonl"), name="anywhere")
    assert ids(session, ingest(session, anywhere).dataset) == ["s1", "s2", "s3"]


def test_another_pattern_is_another_data_set(session, parts):
    folder = parts(".jsonl")
    read(session, folder / "k{0..1}.jsonl")
    with pytest.raises(UsageError, match=r"came from \S*k\{0\.\.1\}\.jsonl: give this one another"):
        read(session, folder / "k{0..2}.jsonl")


def test_splits_that_a_pattern_names_are_read_together(session, tmp_path):
    for number, split in enumerate(("train", "test")):
        write_lines(tmp_path / f"{split}.jsonl", number)
    assert sorted(read(session, tmp_path / "{train,test}.jsonl")) == ["s0", "s1"]


def test_a_file_of_another_format_is_no_part(session, parts):
    folder = parts(".jsonl", (0,))
    write_csv(folder / "k1.csv", 1)
    with pytest.raises(DatasetError, match=r"k1\.csv"):
        read(session, folder / "k*")


@every_format
def test_what_is_missing_is_named(session, parts, ending):
    folder = parts(ending)
    with pytest.raises(DatasetError, match=rf"7 files of 11 are not there, .*k3{ending}$"):
        read(session, folder / f"k{{0..10}}{ending}")
    with (
        serving(folder) as server,
        pytest.raises(DatasetError, match=rf"1 file of 2 is not there, the first: .*k3{ending}$"),
    ):
        read(session, f"{server.url}/k{{2..3}}{ending}")


def test_nothing_that_matches_is_said(session, parts):
    with pytest.raises(DatasetError, match=r"x\*\.jsonl: no file matches this pattern"):
        read(session, parts(".jsonl") / "x*.jsonl")


@pytest.mark.parametrize(
    ("braces", "advice"),
    [("{0..031}", r"\{000\.\.031\}"), ("{00..9}", r"\{00\.\.09\}"), ("{001..1000}", r"\{0001\.\.")],
)
def test_numbers_of_different_widths_are_refused(session, parts, braces, advice):
    with pytest.raises(UsageError, match=f"different widths: write {advice}"):
        read(session, parts(".jsonl") / f"k{braces}.jsonl")


def test_numbers_without_zeros_may_get_longer(session, parts):
    folder = parts(".jsonl", range(8, 12))
    assert read(session, folder / "k{8..11}.jsonl") == ["s8", "s9", "s10", "s11"]


def test_a_file_with_such_a_name_is_that_file(session, parts):
    folder = parts(".jsonl", (1,), name="[{}]")
    write_lines(folder / "1.jsonl", 7)
    assert read(session, folder / "[1].jsonl") == ["s1"]


def test_a_folder_with_such_a_name_is_that_folder(session, tmp_path):
    for number, name in enumerate(("old [1]", "old 1")):
        (tmp_path / name).mkdir()
        write_lines(tmp_path / name / "k1.jsonl", number)
    assert read(session, tmp_path / "old [1]" / "k*.jsonl") == ["s0"]


def test_links_to_folders_repeat_no_record(session, parts):
    folder = parts(".jsonl", (1, 2))
    (folder / "again").symlink_to(".")
    assert read(session, folder / "**" / "k*.jsonl") == ["s1", "s2"]


def test_links_to_files_are_parts_of_their_own(session, parts):
    folder = parts(".jsonl", (1,))
    (folder / "k2.jsonl").symlink_to("k1.jsonl")
    assert read(session, folder / "k*.jsonl") == ["s1", "s1#2"]


def test_a_word_that_stands_twice_names_a_file_once(session, parts):
    folder = parts(".jsonl", (1, 2))
    assert read(session, folder / "k{1,2,1}.jsonl") == ["s1", "s2"]
    with serving(folder) as server:
        there = DatasetSource(f"{server.url}/k{{1,2,1}}.jsonl", name="there")
        assert ids(session, ingest(session, there).dataset) == ["s1", "s2"]


def test_a_data_set_is_called_by_the_folder_of_its_pattern(session, parts, monkeypatch):
    monkeypatch.chdir(parts(".jsonl"))
    assert default_name(session, "k{0..2}.jsonl") == default_name(session, "k*.jsonl") == "parts"
    above = ("d/**/*.jsonl", "d/part-{0..9}/*.jsonl", "s3://b/d/*/k{0..9}.jsonl")
    assert [default_name(session, one) for one in above] == ["d", "d", "d"]
    assert default_name(session, "s3://bucket/*/k.jsonl") == "bucket"
    assert default_name(session, "/*/k.jsonl") == "shards"


def test_what_did_not_change_is_not_read_again_and_a_new_part_is(session, parts):
    source = DatasetSource(str(parts(".jsonl", (0, 1)) / "k*.jsonl"), name="parts")
    ingest(session, source)
    assert ingest(session, source).unchanged
    parts(".jsonl", (2,))
    assert ids(session, ingest(session, source).dataset) == ["s0", "s1", "s2"]


def test_an_export_does_not_replace_a_part(session, parts):
    folder = parts(".jsonl", (0, 1))
    source = DatasetSource(str(folder / "k*.jsonl"), name="parts")
    dataset = ingest(session, source).dataset
    with pytest.raises(UsageError, match="is the data set itself"):
        export(session, dataset, ExportTarget(folder / "k1.jsonl", overwrite=True))
