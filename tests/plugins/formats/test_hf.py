"""Folders saved by Hugging Face `datasets`, checked against the library itself."""

import io
import json

import pytest
from PIL import Image

from ig4.core.errors import DatasetError, UsageError
from ig4.core.records import Record, Turn
from ig4.plugins.formats import hf
from ig4.plugins.formats.arrowsizes import largest_batch
from ig4.plugins.formats.hf import HuggingFace

datasets = pytest.importorskip("datasets")


def make(**options):
    return HuggingFace(HuggingFace.Options(**options))


def png(colour):
    file = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def with_images(tmp_path):
    rows = {
        "id": [1, 2, 3],
        "image": [
            {"bytes": png("red"), "path": None},
            {"bytes": png("blue"), "path": "b.png"},
            None,
        ],
        "more": [[{"bytes": png("green"), "path": None}], [], []],
        "caption": ["a", "b", "c"],
        "label": [0, 1, 0],
    }
    features = datasets.Features(
        id=datasets.Value("int32"),
        image=datasets.Image(),
        more=datasets.Sequence(datasets.Image()),
        caption=datasets.Value("string"),
        label=datasets.ClassLabel(names=["x", "y"]),
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    dataset.save_to_disk(tmp_path / "saved", num_shards=2)
    return tmp_path / "saved"


def test_images_of_the_image_feature_are_bytes(with_images):
    assert make().detect(with_images)
    one, two, three = make().read(with_images)
    assert (one.id, one.images, one.turns[1].text) == ("1", (png("red"),), "a")
    assert two.images == (png("blue"),)
    assert three.images == ()
    assert one.raw["image"] == {"bytes": {"$image": 0}, "path": None}


def test_the_library_reads_back_what_was_written(with_images, tmp_path):
    reader = make()
    records = [
        Record(r.id, r.turns, r.images, json.loads(json.dumps(r.raw)))
        for r in reader.read(with_images)
    ]
    reader.write(records, tmp_path / "out", json.loads(json.dumps(reader.header(with_images))))
    before = datasets.load_from_disk(str(with_images))
    after = datasets.load_from_disk(str(tmp_path / "out"))
    assert after.features == before.features
    assert after.data.table.combine_chunks().equals(before.data.table.combine_chunks())
    assert after[1]["image"].getpixel((0, 0)) == (0, 0, 255)
    assert reader.header(tmp_path / "out") == reader.header(with_images)


def test_other_rows_have_another_fingerprint(with_images, tmp_path):
    records, header = list(make().read(with_images)), make().header(with_images)
    for name, part in (("one", records[:1]), ("two", records[1:]), ("again", records[:1])):
        make().write(part, tmp_path / name, header)
    prints = [
        datasets.load_from_disk(str(tmp_path / name))._fingerprint
        for name in ("one", "two", "again")
    ]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def test_records_from_elsewhere_are_a_data_set(tmp_path):
    pair = (Turn("user", "?"), Turn("assistant", "!"))
    make().write([Record("1", pair, ("images/1.jpg",)), Record("2", pair * 2)], tmp_path / "out")
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert found["answer"][:] == ["!", "!\n!"]
    assert found[0]["images"] == [{"bytes": None, "path": "images/1.jpg"}]
    assert [len(r.turns) for r in make().read(tmp_path / "out")] == [2, 4]


def test_a_split_of_several_must_be_named(tmp_path):
    part = {name: datasets.Dataset.from_dict({"caption": [name]}) for name in ("train", "test")}
    datasets.DatasetDict(part).save_to_disk(tmp_path / "both")
    assert make().detect(tmp_path / "both")
    with pytest.raises(DatasetError, match="splits train, test: say which with -o split="):
        list(make().read(tmp_path / "both"))
    with pytest.raises(UsageError, match="no split 'val', only train, test"):
        list(make(split="val").read(tmp_path / "both"))
    assert [r.turns[1].text for r in make(split="test").read(tmp_path / "both")] == ["test"]
    datasets.DatasetDict(train=part["train"]).save_to_disk(tmp_path / "one")
    assert [r.turns[1].text for r in make().read(tmp_path / "one")] == ["train"]


def test_a_missing_shard_is_an_error(with_images):
    make().sources(with_images)[1].unlink()
    with pytest.raises(DatasetError, match=r"data-00001-of-00002\.arrow is missing"):
        list(make().read(with_images))


def test_another_folder_is_an_error(tmp_path):
    (tmp_path / "state.txt").write_text("x")
    with pytest.raises(DatasetError, match="is not a folder saved by datasets"):
        list(make().read(tmp_path))


def test_a_value_that_claims_to_end_behind_the_file_is_not_read(tmp_path):
    """What stands there is this process's memory."""
    pa = pytest.importorskip("pyarrow")
    make().write([Record(str(n), (Turn("assistant", "x"),), (), None) for n in range(3)], tmp_path)
    ends = b"".join(end.to_bytes(4, "little") for end in (0, 2, 1 << 20, 4))
    values = pa.py_buffer(b"abcd")
    answers = pa.Array.from_buffers(pa.binary(), 3, [None, pa.py_buffer(ends), values])
    batch = pa.record_batch([pa.array(["a", "b", "c"]), answers], ["answer", "image"])
    file = tmp_path / "data-00000-of-00001.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(DatasetError, match="out of bounds"):
        list(make().read(tmp_path))


def compressed(folder, count, size):
    """A data set of one compressed batch with images of zeros."""
    pa = pytest.importorskip("pyarrow")
    make().write([Record("0", (Turn("assistant", "x"),), (), None)], folder)
    images = pa.array([bytes(size)] * count, pa.binary())
    batch = pa.record_batch([pa.array(["x"] * count), images], ["answer", "image"])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    file = folder / "data-00000-of-00001.arrow"
    with (
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_stream(sink, batch.schema, options=options) as writer,
    ):
        writer.write_batch(batch)
    return file


def test_a_batch_that_unpacks_to_too_much_is_refused_before_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(hf, "RECORD_BYTES", 16 << 20)
    assert compressed(tmp_path, 30, 1 << 20).stat().st_size < 10_000
    with pytest.raises(DatasetError, match=r"a compressed batch unpacks to 31,45\d,\d+ bytes"):
        list(make().read(tmp_path))
    compressed(tmp_path, 3, 1 << 20)
    assert [record.images for record in make().read(tmp_path)] == [(bytes(1 << 20),)] * 3


def test_dictionaries_that_are_compressed_count_as_well(tmp_path):
    pa = pytest.importorskip("pyarrow")
    array = pa.array(["x" * 5000, "y" * 5000] * 3).dictionary_encode()
    batch = pa.record_batch([array], ["answer"])
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    assert largest_batch(sink.getvalue().to_pybytes()) > 10_000
