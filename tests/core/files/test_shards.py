"""Which files are shards of one data set, and which of them are missing, by their names."""

from pathlib import Path

import pytest

from ig4.core.files.shards import are_shards, missing_shards, natural_order, series_of, shard_of


def paths(*names):
    return [Path("d") / name for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00003.jsonl", "train-00002-of-00003.jsonl"),
        ("train_00000_of_00002.json", "train_00001_of_00002.json"),
        ("c4.00000-of-00002.json.gz", "c4.00001-of-00002.json.gz"),
        ("a-00000-of-00002-0f3a.csv", "a-00001-of-00002-b2c4.csv"),
        ("part-00000.jsonl", "part-00001.jsonl"),
        ("train_01.json", "train_02.json"),
    ],
)
def test_shards_of_one_data_set(names):
    assert are_shards(paths(*names))


@pytest.mark.parametrize(
    "names",
    [
        ("train.json", "other.json"),
        ("train-00000-of-00002.jsonl", "train.jsonl"),
        ("train-00000-of-00002.jsonl", "train-00000-of-00003.jsonl"),
        ("train-00000-of-00002.jsonl", "train-00000-of-00002.jsonl.gz"),
        ("train-00000-of-00002.json", "train-00001-of-00002.jsonl"),
        ("train-00000-of-00002.jsonl", "test-00001-of-00002.jsonl"),
        ("llava_150.json", "llava_665.json"),
        ("part-00000.jsonl", "part-00002.jsonl"),
        ("llava_v1.json", "llava_v2.json"),
        ("llava_v1.00.json", "llava_v1.01.json"),
        ("stage_00.json", "stage_01.json"),
        ("train-00000-of-00001.jsonl",),
    ],
)
def test_files_that_are_no_shards_of_each_other(names):
    assert not are_shards(paths(*names))


def test_natural_order_is_by_numbers():
    names = paths("part-2.json", "part-10.json", "other.json", "part-1.json")
    ordered = sorted(names, key=natural_order)
    assert [path.name for path in ordered] == [
        "other.json", "part-1.json", "part-2.json", "part-10.json",
    ]  # fmt: skip


def test_series_keep_their_shards_together():
    files = paths("b-00001-of-00002.json", "a.json", "b-00000-of-00002.json")
    assert [[file.name for file in series] for series in series_of(files)] == [
        ["a.json"], ["b-00000-of-00002.json", "b-00001-of-00002.json"],
    ]  # fmt: skip


def test_missing_shards_are_named_for_each_series():
    files = paths("t-00001-of-00006.csv", "v-00000-of-00001.csv", "part-00003.csv", "x.csv")
    (text,) = missing_shards(files)
    assert text == "d/t-*.csv: 1 of 6 shards are there; missing: 00000, 00002, 00003 and 2 more"


def test_shards_may_be_counted_from_one():
    assert missing_shards(paths("t-00001-of-00002.csv", "t-00002-of-00002.csv")) == []
    assert shard_of(Path("t-00002-of-00002.csv")).number == 2
