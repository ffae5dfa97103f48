"""What is written to shards is read back: no sample merges, no member is lost, changes are told."""

import io
import json
import tarfile

import pytest
from PIL import Image as Pillow

from ig4.core.records import Image, ImagePart, Record, Turn
from ig4.plugins.formats.webdataset import WebDataset

PAIR = json.dumps({"question": "What is it?", "answer": "A bus."}).encode()
TURNS = (Turn("user", "What is it?"), Turn("assistant", "A bus."))


def picture(shade):
    stream = io.BytesIO()
    Pillow.new("RGB", (8, 8), (shade, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def shard(path, members, **said):
    """Write members, (name, bytes), to a tar."""
    with tarfile.open(path, "w", **said) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def content(image):
    if isinstance(image, ImagePart):
        return Image(None, source=image.file, part=image.place).read()
    return image


def read(path):
    """Return the records of shards, through JSON, with the bytes of their images."""
    return [
        record._replace(
            images=tuple(map(content, record.images)), raw=json.loads(json.dumps(record.raw))
        )
        for record in WebDataset(WebDataset.Options()).read(path)
    ]


def write(records, target, **options):
    return WebDataset(WebDataset.Options(**options)).write(iter(records), target)


def members(path):
    with tarfile.open(path) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar]


def sample(key, *, raw=True):
    return Record(key, TURNS, (), {"__key__": key, "json": json.loads(PAIR)} if raw else None)


@pytest.mark.parametrize(
    "keys",
    [
        ["CON", "000000000"], ["000000001", "CON", "z"], ["000000001", "a.b", "000000001", "k"],
        ["000000001", "000000001"], ["000000002", "000000002-1", "CON", "CON", "CON"],
        ["k", "k", "k"], ["000000001", None], [None, "000000000", "000000001", None],
    ],
)  # fmt: skip
def test_samples_stay_apart_whatever_their_keys(tmp_path, keys):
    records = [sample(key or "made", raw=key is not None) for key in keys]
    write(records, tmp_path / "a.tar")
    again = read(tmp_path / "a.tar")
    assert [record.problem for record in again] == [None] * len(keys)
    written = [record.raw["__key__"] for record in again]
    made = [new for new, old in zip(written, keys, strict=True) if new != old]
    assert [written.count(key) for key in made] == [1] * len(made)


def test_two_shards_with_the_same_key_are_two_samples(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shard(folder / "0.tar", [("000000000.json", PAIR), ("000000001.json", PAIR)])
    shard(folder / "1.tar", [("000000001.json", PAIR)])
    write(read(folder), tmp_path / "out")
    assert len(read(tmp_path / "out")) == 3


def test_a_key_that_is_written_as_another_is_told(tmp_path):
    (told,) = write([sample(key) for key in ("a", "CON", "b", "b")], tmp_path / "a.tar")
    assert told.startswith("2 samples have another key in the shards (first: '000000001' for 'CON'")
    assert write([sample("a"), sample("b")], tmp_path / "a.tar") == []


def test_keys_come_back_as_they_were(tmp_path):
    keys = ["x", "d/y", "v1.0/z", "ä", "a b", "ID_7"]
    source = shard(tmp_path / "in.tar", [(f"./{key}.json", PAIR) for key in keys])
    assert write(read(source), tmp_path / "out.tar") == []
    assert [record.id for record in read(tmp_path / "out.tar")] == keys


def test_no_member_is_left_out_for_what_it_ends_in(tmp_path):
    source = shard(
        tmp_path / "in.tar",
        [("a.0 1.png", picture(1)), ("a.0?1.png", picture(2)), ("a.0_1.png", picture(3)),
         ("a.json", PAIR), ("b.é.png", picture(4)), ("b.json", PAIR)],
    )  # fmt: skip
    (told,) = write(read(source), tmp_path / "out.tar")
    assert told.startswith("3 members have another ending in the shards (first: '1.0_1.png' for "
                           "'0 1.png')")  # fmt: skip
    assert [name for name, _ in members(tmp_path / "out.tar")] == [
        "a.1.0_1.png", "a.2.0_1.png", "a.0_1.png", "a.json", "b._.png", "b.json",
    ]  # fmt: skip
    images = [record.images for record in read(tmp_path / "out.tar")]
    assert images == [(picture(1), picture(2), picture(3)), (picture(4),)]


def test_a_member_that_was_too_large_to_keep_is_told(tmp_path):
    source = shard(tmp_path / "in.tar", [("a.json", PAIR), ("a.npy", bytes(1 << 17))])
    (told,) = write(read(source), tmp_path / "out.tar")
    assert told.startswith("1 member is not written (first: one that ends in 'npy')")


def test_a_sample_without_members_stays_between_its_neighbours(tmp_path):
    empty = Record("b", (), (), {"__key__": "b"})
    write([sample("a"), empty, sample("a")], tmp_path / "a.tar")
    one, two, three = read(tmp_path / "a.tar")
    assert [record.raw["__key__"] for record in (one, two, three)] == ["a", "b", "a"]
    assert two.problem is not None


@pytest.mark.parametrize(
    "value",
    [{"$image": [1]}, {"$image": 0}, {"$image": True}, {"$base64": 5}, {"$base64": "a"},
     {"$base64": "YQ=="}, {"$base64": None}, {"$json": {"$json": 1}}, [], None, "text", 3],
)  # fmt: skip
def test_json_comes_back_whatever_it_says(tmp_path, value):
    said = [
        ("a.json", PAIR), ("a.meta.json", json.dumps(value).encode()), ("a.png", picture(1)),
        ("a.ig4", b"\xff"), ("a.ig4.json", b'{"rank": 1}'),
    ]  # fmt: skip
    source = shard(tmp_path / "in.tar", said)
    assert write(read(source), tmp_path / "out.tar") == []
    assert members(tmp_path / "out.tar") == said


@pytest.mark.parametrize("value", [{"$image": [1]}, {"$image": "0"}, {"$base64": 5},
                                   {"$base64": "a"}, {"$base64": "ä"}, {"$image": 7}])  # fmt: skip
def test_what_a_database_of_others_holds_ends_no_export(tmp_path, value):
    raw = {"__key__": "a", "json": json.loads(PAIR), "meta.json": value, "x": value}
    write([Record("a", TURNS, (), raw)], tmp_path / "a.tar")
    assert read(tmp_path / "a.tar")[0].problem is None


@pytest.mark.parametrize("key", ["k", "k" * 140])
def test_a_shard_is_no_larger_on_disk_than_was_asked_for(tmp_path, key):
    records = [sample(f"{n}{key}") for n in range(60)]
    write(records, tmp_path / "out", maxsize=30_000)
    sizes = [file.stat().st_size for file in (tmp_path / "out").iterdir()]
    assert max(sizes) <= 30_000
    assert len(sizes) < 20
    assert len(read(tmp_path / "out")) == 60


def test_a_sample_that_is_larger_than_a_shard_has_one_of_its_own(tmp_path):
    write([sample("a"), sample("b")], tmp_path / "out", maxsize=1)
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_shard_is_byte_for_byte_what_tarfile_writes(tmp_path):
    keys = ["a", "ä" * 60, "d/" + "n" * 150]
    write([sample(key) for key in keys], tmp_path / "out.tar")
    said = json.dumps(json.loads(PAIR), ensure_ascii=False).encode()
    twin = shard(tmp_path / "twin.tar", [(f"{key}.json", said) for key in keys],
                 format=tarfile.PAX_FORMAT)  # fmt: skip
    assert (tmp_path / "out.tar").read_bytes() == twin.read_bytes()
