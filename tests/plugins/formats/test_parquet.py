"""Parquet: every type comes back, images stand inside or beside."""

import datetime as dt
import json
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.parquet import Parquet

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def make(**options):
    return Parquet(Parquet.Options(**options))


def stored(table, path):
    pq.write_table(table, path)
    return path


def round_trip(path, target):
    """Read, pass the raw records through JSON text as the database does, write."""
    reader = make()
    records = [
        Record(r.id, r.turns, r.images, json.loads(json.dumps(r.raw))) for r in reader.read(path)
    ]
    header = json.loads(json.dumps(reader.header(path)))
    reader.write(iter(records), target, header)
    return pq.read_table(target)


def test_rows_are_records(tmp_path):
    table = pa.table({"image_id": [1, 2], "file_name": ["a.jpg", None], "caption": ["x", "y"]})
    one, two = make().read(stored(table, tmp_path / "a.parquet"))
    assert (one.id, one.images, one.turns[1].text) == ("1", ("a.jpg",), "x")
    assert (two.images, two.raw) == ((), {"image_id": 2, "file_name": None, "caption": "y"})


def test_embedded_images_are_bytes_of_the_record_and_not_of_its_raw(tmp_path):
    rows = [
        {"image": {"bytes": b"\xff\xd8one", "path": "one.jpg"}, "caption": "a"},
        {"image": {"bytes": None, "path": "two.jpg"}, "caption": "b"},
        {"image": None, "caption": "c"},
    ]
    table = pa.Table.from_pylist(rows, pa.schema([("image", IMAGE), ("caption", pa.string())]))
    path = stored(table, tmp_path / "a.parquet")
    one, two, three = make().read(path)
    assert one.images == (b"\xff\xd8one",)
    assert one.raw["image"] == {"bytes": {"$image": 0}, "path": "one.jpg"}
    assert two.images == ("two.jpg",)
    assert three.images == ()
    assert round_trip(path, tmp_path / "b.parquet").equals(table, check_metadata=True)


def test_lists_of_images_and_plain_bytes_are_embedded_as_well(tmp_path):
    images = [
        {"bytes": b"1", "path": None},
        {"bytes": None, "path": "p.jpg"},
        {"bytes": b"3", "path": "q"},
    ]
    table = pa.table(
        {"images": pa.array([images, [], None], pa.list_(IMAGE)), "answer": ["a", "b", "c"]}
    )
    path = stored(table, tmp_path / "a.parquet")
    assert [r.images for r in make().read(path)] == [(b"1", "p.jpg", b"3"), (), ()]
    assert round_trip(path, tmp_path / "b.parquet").equals(table)
    plain = pa.table({"image": [b"\0\xff", b""], "answer": ["a", "b"]})
    path = stored(plain, tmp_path / "c.parquet")
    assert [r.images for r in make().read(path)] == [(b"\0\xff",), (b"",)]
    assert round_trip(path, tmp_path / "d.parquet").equals(plain)


UTC = dt.UTC
COLUMNS = {
    "big": pa.array([2**63 - 1, None], pa.int64()),
    "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
    "float32": pa.array([0.1, -np.inf], pa.float32()),
    "float16": pa.array(np.array([0.1, 2], np.float16)),
    "decimal": pa.array([Decimal("123456789012345678.90"), None], pa.decimal128(38, 2)),
    "nanoseconds": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns", tz="UTC")),
    "date": pa.array([dt.date(1066, 10, 14), None], pa.date32()),
    "time": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
    "duration": pa.array([5, None], pa.duration("ms")),
    "category": pa.array(["a", "b"]).dictionary_encode(),
    "mask": pa.array([b"\0\1\xff", None], pa.binary()),
    "fixed": pa.array([b"ab", b"cd"], pa.binary(2)),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
    "nested": pa.array(
        [[{"when": dt.datetime(2020, 1, 1, tzinfo=UTC), "raw": b"x"}], []],
        pa.list_(pa.struct([("when", pa.timestamp("us", tz="UTC")), ("raw", pa.large_binary())])),
    ),
    "vector": pa.array([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32(), 2)),
    "large": pa.array(["ä", "\U0001f600"], pa.large_string()),
    "nothing": pa.nulls(2),
    "flag": pa.array([True, None]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_comes_back_as_it_was(tmp_path, name):
    table = pa.table({"caption": ["a", "b"], name: COLUMNS[name]})
    path = stored(table, tmp_path / "a.parquet")
    expected = pq.read_table(path)
    assert round_trip(path, tmp_path / "b.parquet").equals(expected, check_metadata=True)


def test_metadata_comes_back(tmp_path):
    table = pa.table({"caption": ["a"]}).replace_schema_metadata({"huggingface": '{"x": 1}'})
    path = stored(table, tmp_path / "a.parquet")
    written = round_trip(path, tmp_path / "b.parquet")
    assert written.schema.metadata == table.schema.metadata


def test_a_folder_is_one_data_set_in_the_order_of_names(tmp_path):
    (tmp_path / "data").mkdir()
    for name, caption in (("train-00001", "b"), ("train-00000", "a")):
        stored(pa.table({"caption": [caption]}), tmp_path / "data" / f"{name}.parquet")
    assert make().detect(tmp_path)
    assert [r.turns[1].text for r in make().read(tmp_path)] == ["a", "b"]
    assert [r.id for r in make().read(tmp_path)] == ["0", "1"]
    stored(pa.table({"text": ["c"]}), tmp_path / "data" / "train-00002.parquet")
    with pytest.raises(DatasetError, match=r"train-00002\.parquet has other columns"):
        list(make().read(tmp_path))


def test_conversations_and_columns_are_mapped(tmp_path):
    turns = [{"from": "human", "value": "<image>\n?"}, {"from": "gpt", "value": "!"}]
    table = pa.table({"chat": [turns], "pic": [["a.jpg", "b.jpg"]]})
    path = stored(table, tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"'chat', 'pic' with -o answer_column"):
        list(make().read(path))
    (record,) = make(messages_column="chat", image_column="pic").read(path)
    assert record.turns == (Turn("user", "?"), Turn("assistant", "!"))
    assert record.images == ("a.jpg", "b.jpg")


def test_records_from_elsewhere_are_a_table_with_images(tmp_path):
    pair = (Turn("user", "?"), Turn("assistant", "!"))
    records = [
        Record("1", pair, ("images/1.jpg", b"bytes")),
        Record("2", pair * 2),
    ]
    make().write(iter(records), tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "data.parquet").to_pylist()
    assert rows[0]["images"] == [
        {"bytes": None, "path": "images/1.jpg"},
        {"bytes": b"bytes", "path": None},
    ]
    assert (rows[0]["messages"], rows[1]["answer"]) == (None, "!\n!")
    again = list(make().read(tmp_path / "out"))
    assert [(r.id, r.turns, r.images) for r in again] == [
        (r.id, r.turns, r.images) for r in records
    ]


def test_records_from_elsewhere_fit_into_a_given_table(tmp_path):
    table = pa.table({"image": pa.array([], IMAGE), "caption": pa.array([], pa.string())})
    header = make().header(stored(table, tmp_path / "a.parquet"))
    record = Record("1", (Turn("assistant", "!"),), ("a.jpg",))
    make().write([record], tmp_path / "b.parquet", header)
    rows = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert rows == [{"image": {"bytes": None, "path": "a.jpg"}, "caption": "!"}]


def test_a_value_that_does_not_fit_its_column_is_an_error(tmp_path):
    path = stored(
        pa.table({"caption": ["a"], "n": pa.array([1], pa.int8())}), tmp_path / "a.parquet"
    )
    record = Record("1", (), (), {"caption": "a", "n": 1000})
    with pytest.raises(DatasetError, match="does not fit column 'n' of type int8"):
        make().write([record], tmp_path / "b.parquet", make().header(path))
    assert not (tmp_path / "b.parquet").exists()


def test_a_damaged_file_is_an_error(tmp_path):
    path = stored(pa.table({"caption": ["some text"] * 5000}), tmp_path / "a.parquet")
    data = path.read_bytes()
    path.write_bytes(data[:30] + bytes(60) + data[90:])
    with pytest.raises(DatasetError, match=r"a\.parquet"):
        list(make().read(path))


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    picture = np.random.default_rng(0).bytes(100_000)
    schema = pa.schema([("image", IMAGE), ("caption", pa.string())])
    row = {"image": {"bytes": picture, "path": None}, "caption": "x"}
    with pq.ParquetWriter(tmp_path / "a.parquet", schema, use_dictionary=False) as writer:
        for _ in range(10):
            writer.write_table(pa.Table.from_pylist([row] * 64, schema))
    tracemalloc.start()
    try:
        assert sum(len(record.images) for record in make().read(tmp_path / "a.parquet")) == 640
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000  # two batches of 64 such images, of 64 MB in all
