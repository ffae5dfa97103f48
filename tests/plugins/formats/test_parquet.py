"""Parquet: every type comes back, images stand inside or beside."""

import datetime as dt
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.images.parts import read_part
from ig4.core.files.opening import LargeFileError
from ig4.core.files.reading import parquetcells
from ig4.core.records import ImagePart, Record, Turn
from ig4.plugins.formats import arrow
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.parquet import Parquet

from .wholes import whole

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


class WithBytes(Parquet):
    """Gives images that are parts of the file as their bytes."""

    def read(self, path):
        return map(whole, super().read(path))


def make(**options):
    return WithBytes(Parquet.Options(**options))


def stored(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
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
    "bytes in a dictionary": pa.array([b"\xff", None]).dictionary_encode(),
    "bytes in dictionaries of lists": pa.ListArray.from_arrays(
        pa.array([0, 2, 2]), pa.array([b"\xff", b"\x00"]).dictionary_encode()
    ),
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


def test_images_in_a_dictionary_are_images(tmp_path):
    """As pandas writes a categorical column, whose rows share their images."""
    images = pa.array([b"\xff\xd8one", b"\xff\xd8two", b"\xff\xd8one", None])
    table = pa.table({"image": images.dictionary_encode(), "answer": list("abcd")})
    path = stored(table, tmp_path / "a.parquet")
    found = [record.images for record in make().read(path)]
    assert found == [(b"\xff\xd8one",), (b"\xff\xd8two",), (b"\xff\xd8one",), ()]
    assert round_trip(path, tmp_path / "b.parquet").equals(table)


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


def test_texts_that_are_no_utf8_are_an_error(tmp_path):
    ends = b"".join(end.to_bytes(4, "little") for end in (0, 2, 4))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"ok\xff\xfe")]
    texts = pa.Array.from_buffers(pa.string(), 2, buffers)
    path = stored(pa.table({"answer": texts}), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"a\.parquet cannot be read: .*UTF8 .* index 1"):
        list(make().read(path))


@pytest.mark.parametrize("inside", [True, False])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path, inside):
    picture = np.random.default_rng(0).bytes(100_000)
    schema = pa.schema([("image", IMAGE), ("caption", pa.string())])
    row = {"image": {"bytes": picture, "path": None}, "caption": "x"}
    with pq.ParquetWriter(tmp_path / "a.parquet", schema, use_dictionary=False) as writer:
        for _ in range(10):
            writer.write_table(pa.Table.from_pylist([row] * 64, schema))
    tracemalloc.start()
    try:
        records = Parquet(Parquet.Options(inside=inside)).read(tmp_path / "a.parquet")
        assert sum(len(record.images) for record in records) == 640
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000  # two batches of 64 such images, of 64 MB in all


def test_a_dictionary_whose_value_each_row_repeats_is_taken_apart_a_few_rows_at_a_time(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(arrow, "BATCH_BYTES", 1 << 20)
    monkeypatch.setattr(arrow, "RECORD_BYTES", 1 << 21)
    taken = []
    monkeypatch.setattr(
        arrow.ArrowTable, "_rows",
        lambda self, batch, real=arrow.ArrowTable._rows: taken.append(len(batch))
        or real(self, batch),
    )  # fmt: skip
    image = pa.DictionaryArray.from_arrays(pa.array([0] * 60), pa.array([bytes(1 << 18)]))
    schema = pa.schema([("image", image.type), ("answer", pa.string())])
    batch = pa.record_batch([image, pa.array(["x"] * 60)], schema=schema)
    read = arrow.ArrowTable(tmp_path, schema, ColumnOptions())
    assert len(list(read.records([batch]))) == 60
    assert max(taken) * (1 << 18) <= 1 << 20
    monkeypatch.setattr(arrow, "RECORD_BYTES", 1 << 17)
    monkeypatch.setattr(arrow, "BATCH_BYTES", 1 << 17)
    with pytest.raises(DatasetError, match=r"one record holds 262,1\d\d bytes"):
        list(read.records([batch]))


CAPTIONS = ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(CAPTIONS, pa.string()), pa.array(CAPTIONS, pa.large_string())),
        (pa.array(CAPTIONS, pa.large_string()), pa.array(CAPTIONS, pa.string())),
        (pa.array(CAPTIONS, pa.string()), pa.array(CAPTIONS).dictionary_encode()),
        (pa.array(CAPTIONS).dictionary_encode(), pa.array(CAPTIONS, pa.string())),
        (pa.array(CAPTIONS, pa.string_view()), pa.array(CAPTIONS, pa.string())),
    ],
)
def test_shards_may_store_texts_in_several_ways(tmp_path, one, other):
    stored(pa.table({"caption": one}), tmp_path / "data" / "train-00000.parquet")
    stored(pa.table({"caption": other}), tmp_path / "data" / "train-00001.parquet")
    records = list(make().read(tmp_path))
    assert [r.turns[1].text for r in records] == CAPTIONS * 2
    make().write(records, tmp_path / "out.parquet", make().header(tmp_path))
    assert pq.read_table(tmp_path / "out.parquet").column("caption").to_pylist() == CAPTIONS * 2


@pytest.mark.parametrize("first", [True, False])
def test_a_column_of_nulls_alone_takes_the_type_of_the_other_shards(tmp_path, first):
    kinds = {"note": pa.string(), "images": pa.list_(pa.struct([("path", pa.string())])),
             "n": pa.int32()}  # fmt: skip
    full = {"caption": ["a"], "note": ["x"], "images": [[{"path": "a.jpg"}]], "n": [1]}
    empty = {"caption": ["b"], "note": [None], "images": [None], "n": [2**40]}
    tables = [
        pa.table({name: pa.array(value, kinds.get(name)) for name, value in full.items()}),
        pa.table(empty),
    ]
    for number, table in enumerate(tables if first else tables[::-1]):
        stored(table, tmp_path / f"train-{number:05}.parquet")
    records = {r.turns[1].text: r for r in make().read(tmp_path)}
    assert (records["a"].images, records["a"].raw["note"]) == (("a.jpg",), "x")
    assert (records["b"].images, records["b"].raw["n"]) == ((), 2**40)


def test_columns_in_another_order_are_found_by_their_names(tmp_path):
    stored(pa.table({"id": ["1"], "caption": ["a"]}), tmp_path / "p-0.parquet")
    stored(pa.table({"caption": ["b"], "id": ["2"]}), tmp_path / "p-1.parquet")
    assert [(r.id, r.turns[1].text) for r in make().read(tmp_path)] == [("1", "a"), ("2", "b")]


def test_what_differs_between_shards_is_said(tmp_path):
    stored(pa.table({"caption": ["a"], "x": [1]}), tmp_path / "p-0.parquet")
    stored(pa.table({"caption": ["b"], "y": [1]}), tmp_path / "p-1.parquet")
    with pytest.raises(DatasetError, match="it lacks 'x' and has also 'y'"):
        list(make().read(tmp_path))
    stored(pa.table({"caption": ["b"], "x": ["1"]}), tmp_path / "p-1.parquet")
    with pytest.raises(DatasetError, match=r"column 'x' holds string, in p-0\.parquet int64"):
        list(make().read(tmp_path))


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("data/train-00000-of-00002", "data/train-00001-of-00002", "data/test-00000-of-00001"),
         "train, test"),
        (("train", "validation"), "train, validation"),
        (("train/0", "train/1", "val/0"), "train, validation"),
        (("my_train_2", "my-eval"), "train, test"),
    ],
)  # fmt: skip
def test_of_several_splits_the_user_says_which(tmp_path, names, splits):
    for name in names:
        stored(pa.table({"caption": [name]}), tmp_path / f"{name}.parquet")
    with pytest.raises(
        DatasetError, match=f"has the splits {splits}: say which with -o split=train"
    ):
        list(make().read(tmp_path))
    train = [r.turns[1].text for r in make(split="train").read(tmp_path)]
    assert train == sorted(name for name in names if "train" in name)
    assert len(list(make(split="all").read(tmp_path))) == len(names)
    with pytest.raises(UsageError, match="no split 'other'"):
        list(make(split="other").read(tmp_path))


def test_files_without_the_names_of_splits_are_one_table(tmp_path):
    for name in ("part-00000-of-00002", "part-00001-of-00002"):
        stored(pa.table({"caption": [name]}), tmp_path / f"{name}.parquet")
    assert len(list(make().read(tmp_path))) == 2


def test_folders_without_the_names_of_splits_are_one_table(tmp_path):
    for year in ("year=2020/0", "year=2021/0"):
        stored(pa.table({"caption": [year]}), tmp_path / f"{year}.parquet")
    assert len(list(make().read(tmp_path))) == 2


def test_of_several_configurations_the_user_says_which(tmp_path):
    for name in ("ai2d/train-00000-of-00001", "vqav2/train-00000-of-00001"):
        stored(pa.table({"caption": [name]}), tmp_path / f"{name}.parquet")
    with pytest.raises(
        DatasetError, match="the configurations ai2d, vqav2: say which with -o conf"
    ):
        list(make().read(tmp_path))
    (record,) = make(config="vqav2").read(tmp_path)
    assert record.turns[1].text.startswith("vqav2")
    with pytest.raises(UsageError, match="no configuration 'x'"):
        list(make(config="x").read(tmp_path))


def test_the_cauldron_and_conversations_of_columns(tmp_path):
    images = pa.array([[{"bytes": b"\x89PNG1", "path": None}, {"bytes": None, "path": "b.png"}]],
                      pa.list_(IMAGE))  # fmt: skip
    texts = pa.array([[{"user": "<image> or <image>?", "assistant": "It.", "source": "x"}]])
    path = stored(pa.table({"images": images, "texts": texts}), tmp_path / "a.parquet")
    (record,) = make().read(path)
    assert (record.images, record.problem) == ((b"\x89PNG1", "b.png"), None)
    assert ([turn.text for turn in record.turns], record.places) == (
        ["or ?", "It."],
        ((0, 0), (0, 3)),
    )
    assert round_trip(path, tmp_path / "b.parquet").equals(pq.read_table(path))
    columns = pa.array([{"from": ["human", "gpt"], "value": ["<image>\nWhat?", "It."]}])
    path = stored(pa.table({"conversations": columns, "image": ["a.png"]}), tmp_path / "c.parquet")
    (record,) = make().read(path)
    assert (record.images, record.turns[0].text, record.places) == (("a.png",), "What?", None)


def test_contents_of_parts_in_a_table(tmp_path):
    part = pa.struct([("type", pa.string()), ("text", pa.string()), ("image", IMAGE)])
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(part))]))
    parts = [
        {"type": "text", "text": "See", "image": None},
        {"type": "image", "text": None, "image": {"bytes": b"\x89PNG1", "path": None}},
    ]
    said = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [{"type": "text", "text": "It.", "image": None}]},
    ]
    path = stored(pa.table({"messages": pa.array([said], kind)}), tmp_path / "a.parquet")
    (record,) = make().read(path)
    assert (record.images, record.places, record.problem) == ((b"\x89PNG1",), ((0, 3),), None)
    assert [turn.text for turn in record.turns] == ["See", "It."]
    assert round_trip(path, tmp_path / "b.parquet").equals(pq.read_table(path))


def images_of(path, **options):
    return [record.images for record in Parquet(Parquet.Options(**options)).read(path)]


def test_images_in_small_row_groups_are_parts_of_the_file(tmp_path):
    rows = [{"image": {"bytes": bytes([n]) * 50, "path": None}, "caption": "x"} for n in range(10)]
    table = pa.Table.from_pylist(rows, pa.schema([("image", IMAGE), ("caption", pa.string())]))
    for name in ("a", "b"):
        (tmp_path / "set").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "set" / f"{name}.parquet", row_group_size=3)
    found = [one for (one,) in images_of(tmp_path / "set")]
    assert all(isinstance(one, ImagePart) for one in found)
    assert found[13].file == str(tmp_path / "set" / "b.parquet")
    assert found[13].name == "b.parquet/000000003-0"
    for n, one in enumerate(found):
        with Path(one.file).open("rb") as file:
            assert read_part(file, one.place, 100) == bytes([n % 10]) * 50


def test_images_in_large_row_groups_are_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(parquetcells, "GROUP_BYTES", 100)
    table = pa.table({"image": [b"1" * 500, b"2" * 500], "caption": ["x", "y"]})
    path = stored(table, tmp_path / "a.parquet")
    assert images_of(path) == [(b"1" * 500,), (b"2" * 500,)]


def test_images_are_bytes_on_request(tmp_path):
    path = stored(pa.table({"image": [b"1"], "caption": ["x"]}), tmp_path / "a.parquet")
    assert images_of(path, inside=False) == [(b"1",)]


def test_a_part_of_a_file_that_is_another_one_now_is_not_there(tmp_path):
    path = stored(pa.table({"image": [b"1", b"2"], "caption": ["x", "y"]}), tmp_path / "a.parquet")
    place = images_of(path)[1][0].place
    stored(pa.table({"image": [b"1"], "caption": ["x"]}), path)
    with path.open("rb") as file, pytest.raises(OSError, match="no such image"):
        read_part(file, place, 100)
    path.write_bytes(b"PAR1 no more")
    with path.open("rb") as file, pytest.raises(OSError, match="the Parquet file cannot be read"):
        read_part(file, place, 100)


def test_a_part_larger_than_an_image_may_be_is_refused(tmp_path):
    path = stored(pa.table({"image": [b"1" * 500], "caption": ["x"]}), tmp_path / "a.parquet")
    ((part,),) = images_of(path)
    with path.open("rb") as file, pytest.raises(LargeFileError):
        read_part(file, part.place, 100)
