"""WebDataset: samples are members of a tar that share a key; nothing in a tar is trusted."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image as Pillow

from ig4.core.files.images.parts import byte_range
from ig4.core.records import Image, ImagePart, Record, Turn
from ig4.plugins.formats.shards.reading import LEFT, NAMELESS, UNMARKED, UNPACKED
from ig4.plugins.formats.webdataset import WebDataset

QUESTION, ANSWER = "What is it?", "A bus."
PAIR = json.dumps({"question": QUESTION, "answer": ANSWER}).encode()


def make(**options):
    return WebDataset(WebDataset.Options(**options))


def picture(shade=0, kind="JPEG"):
    stream = io.BytesIO()
    Pillow.new("RGB", (8, 8), (shade, 0, 0)).save(stream, kind)
    return stream.getvalue()


def shard(path, members, **said):
    """Write members, (name, bytes) or a TarInfo, to a tar."""
    with tarfile.open(path, "w", **said) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return path


def read(path, **options):
    return list(make(**options).read(path))


def content(part):
    return Image(None, source=part.file, part=part.place).read()


def test_members_with_one_key_are_a_sample(tmp_path):
    path = shard(
        tmp_path / "a.tar",
        [("1.jpg", picture(1)), ("1.json", PAIR), ("2.json", PAIR), ("2.png", picture(2, "PNG"))],
    )
    one, two = read(path)
    assert (one.id, one.turns) == ("1", (Turn("user", QUESTION), Turn("assistant", ANSWER)))
    assert (two.id, two.problem) == ("2", None)
    assert [content(record.images[0]) for record in (one, two)] == [
        picture(1), picture(2, "PNG"),
    ]  # fmt: skip


def test_images_are_the_bytes_of_the_shard_where_they_lie(tmp_path):
    path = shard(tmp_path / "a.tar", [("1.json", PAIR), ("1.jpg", picture())])
    (record,) = read(path)
    (image,) = record.images
    assert isinstance(image, ImagePart)
    assert (image.file, image.name) == (str(path), "a.tar/1.jpg")
    place = byte_range(image.place)
    assert path.read_bytes()[place.offset : place.end] == picture()


def test_what_img2dataset_writes_is_an_image_and_its_caption(tmp_path):
    told = {"caption": "a cat", "url": "https://x.example/a.jpg", "key": "000000017", "width": 8}
    path = shard(
        tmp_path / "00000.tar",
        [("000000017.jpg", picture()), ("000000017.txt", b"a cat"),
         ("000000017.json", json.dumps(told).encode())],
    )  # fmt: skip
    (record,) = read(path)
    assert (record.id, record.turns[1].text, len(record.images)) == ("000000017", "a cat", 1)
    assert record.raw["json"] == told


def test_a_caption_alone_is_the_answer(tmp_path):
    (record,) = read(shard(tmp_path / "a.tar", [("7.txt", b"a cat"), ("7.webp", b"RIFF")]))
    assert (record.id, record.turns[1].text, record.problem) == ("7", "a cat", None)


def test_a_conversation_with_several_images_keeps_their_places(tmp_path):
    turns = [
        {"from": "human", "value": "<image>\nand <image>: which?"},
        {"from": "gpt", "value": "The first."},
    ]
    path = shard(
        tmp_path / "a.tar",
        [("k.0.jpg", picture(1)), ("k.1.jpg", picture(2)),
         ("k.json", json.dumps({"conversations": turns}).encode())],
    )  # fmt: skip
    (record,) = read(path)
    assert record.problem is None
    assert [content(image) for image in record.images] == [picture(1), picture(2)]
    assert record.places == ((0, 0), (0, 4))


def test_shards_are_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        shard(tmp_path / f"part-{number}.tar", [(f"{number}.json", PAIR)])
    assert [record.id for record in read(tmp_path)] == ["1", "2", "10"]


def test_several_splits_are_not_read_as_one(tmp_path):
    for split in ("train", "test"):
        shard(tmp_path / f"{split}-000.tar", [(f"{split}.json", PAIR)])
    assert [record.id for record in read(tmp_path, split="test")] == ["test"]


@pytest.mark.parametrize("packed", ["a.tar.gz", "a.tgz"])
def test_a_compressed_shard_is_read_in_one_go_and_says_what_that_costs(tmp_path, packed):
    plain = shard(tmp_path / "a.tar", [("1.json", PAIR), ("1.jpg", picture()), ("2.json", PAIR)])
    path = tmp_path / packed
    path.write_bytes(gzip.compress(plain.read_bytes()))
    one, two = read(path)
    assert one.images == (picture(),)
    assert one.remarks == (UNPACKED,)
    assert two.remarks == ()


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_is_not_followed(tmp_path, kind):
    path = shard(tmp_path / "a.tar", [("1.json", PAIR), link("1.jpg", "/etc/passwd", kind)])
    (record,) = read(path)
    assert record.images == ()
    assert "link" in record.problem


@pytest.mark.parametrize("name", ["../../1", "/etc/1", "a/../../1", "..\\1"])
def test_a_name_that_leads_out_is_a_problem_of_its_sample(tmp_path, name):
    path = shard(tmp_path / "a.tar", [(f"{name}.json", PAIR), ("2.json", PAIR)])
    records = read(path)
    assert records[-1].problem is None
    assert all("leads out" in record.problem for record in records[:-1])
    assert len(records) == 2 or name == "..\\1"


def test_a_device_a_pipe_and_a_sparse_file_are_problems(tmp_path):
    for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE):
        path = shard(tmp_path / "a.tar", [("1.json", PAIR), link("1.jpg", "", kind)])
        (record,) = read(path)
        assert "is not read" in record.problem


def test_a_member_that_stands_twice_is_a_problem(tmp_path):
    path = shard(tmp_path / "a.tar", [("1.json", PAIR), ("1.json", PAIR), ("2.json", PAIR)])
    one, two = read(path)
    assert "two members '1.json'" in one.problem
    assert two.problem is None


def test_a_name_that_is_no_utf_8_can_be_stored(tmp_path):
    path = shard(tmp_path / "a.tar", [("\udce9.json", PAIR)], errors="surrogateescape",
                 format=tarfile.GNU_FORMAT)  # fmt: skip
    (record,) = read(path)
    assert record.id == "\ufffd"
    json.dumps(record.raw).encode("utf-8")


def test_json_that_is_none_is_a_problem_of_its_sample(tmp_path):
    path = shard(tmp_path / "a.tar", [("1.json", b"{]"), ("2.json", PAIR), ("3.txt", b"\xff")])
    broken, good, other = read(path)
    assert "no valid JSON" in broken.problem
    assert good.problem is None
    assert "no valid UTF-8" in other.problem


def test_marks_of_byte_order_are_no_part_of_texts(tmp_path):
    mark = b"\xef\xbb\xbf"
    path = shard(tmp_path / "a.tar", [("1.json", mark + PAIR), ("2.txt", mark + b"A boat.")])
    first, second = read(path)
    assert (first.problem, second.problem) == (None, None)
    assert second.turns[-1].text == "A boat."


@pytest.mark.parametrize("left", [0.35, 0.6, 0.9])
def test_of_a_shard_that_is_cut_off_the_whole_samples_are_read(tmp_path, left):
    path = shard(
        tmp_path / "a.tar", [(f"{n}.{kind}", data) for n in range(20)
                             for kind, data in (("json", PAIR), ("bin", bytes(3000)))],
    )  # fmt: skip
    end = 20 * (512 + 512 + 512 + 3072)
    path.write_bytes(path.read_bytes()[: int(end * left) + 700])
    records = read(path)
    *good, last = records
    assert len(good) >= 5
    assert [record.problem for record in good] == [None] * len(good)
    assert "cut off" in last.problem


def test_a_shard_that_ends_between_two_members_says_that_it_may_have_been_cut(tmp_path):
    path = shard(tmp_path / "a.tar", [("1.json", PAIR), ("2.json", PAIR)])
    path.write_bytes(path.read_bytes()[:1024])
    (record,) = read(path)
    assert (record.problem, record.remarks) == (None, (UNMARKED,))


def test_a_shard_without_a_byte_is_told_and_one_without_samples_is_none(tmp_path):
    """The first is a download that failed, the second was written so."""
    shard(tmp_path / "0.tar", [("1.json", PAIR)])
    shard(tmp_path / "1.tar", [])
    (tmp_path / "2.tar").write_bytes(b"")
    good, empty = read(tmp_path)
    assert good.problem is None
    assert empty.problem == "the shard 2.tar cannot be read to its end: it is empty"


def test_a_cut_shard_is_called_by_its_own_name_in_the_problem(tmp_path):
    plain = shard(tmp_path / "a", [("1.json", PAIR)])
    data = pa.compress(plain.read_bytes(), codec="zstd", asbytes=True)
    (tmp_path / "a.tar.zst").write_bytes(data[:-10])
    (last,) = read(tmp_path / "a.tar.zst")
    assert last.problem.startswith("the shard a.tar.zst cannot be read to its end: Truncated")


def test_a_shard_that_is_damaged_in_the_middle_says_where(tmp_path):
    path = shard(tmp_path / "a.tar", [(f"{n}.json", PAIR) for n in range(4)])
    data = bytearray(path.read_bytes())
    data[2048:2560] = b"\xaa" * 512
    path.write_bytes(data)
    one, two = read(path)
    assert one.problem is None
    assert "damaged at byte 2,048" in two.problem


def test_a_header_without_end_is_refused(tmp_path):
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    (record,) = read(path)
    assert "8,589,934,592 bytes" in record.problem


def test_a_member_that_says_it_is_enormous_is_a_problem(tmp_path):
    member = tarfile.TarInfo("1.jpg")
    member.size = 1 << 60
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    (record,) = read(path)
    assert "cut off" in record.problem


def test_joined_tars_are_read_to_the_end(tmp_path):
    parts = [shard(tmp_path / f"{n}.tar", [(f"{n}.json", PAIR)]).read_bytes() for n in range(2)]
    path = tmp_path / "whole.tar"
    path.write_bytes(b"".join(parts))
    assert [record.id for record in read(path)] == ["0", "1"]


def test_long_names_are_read_whole_in_every_dialect(tmp_path):
    name = "d" * 90 + "/" + "n" * 150
    for dialect in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = shard(tmp_path / "a.tar", [(f"{name}.json", PAIR)], format=dialect)
        assert [record.id for record in read(path)] == [name]


def test_what_belongs_to_no_sample_is_told(tmp_path):
    path = shard(
        tmp_path / "a.tar", [("README", b"x"), ("1.json", PAIR), ("1.npy", bytes(1 << 17))]
    )
    (record,) = read(path)
    assert set(record.remarks) == {NAMELESS, LEFT}


def test_what_macos_puts_beside_files_is_no_sample(tmp_path):
    path = shard(tmp_path / "a.tar", [("._1.json", b"\0"), ("1.json", PAIR)])
    assert [record.id for record in read(path)] == ["1"]


def written(records, target, **options):
    make(**options).write(iter(records), target)
    return target


def foreign(count):
    turns = (Turn("user", QUESTION), Turn("assistant", ANSWER))
    return [Record(f"id/{n}", turns, (picture(n),)) for n in range(count)]


def test_records_of_another_format_are_shards_with_a_json_each(tmp_path):
    folder = written(foreign(5), tmp_path / "out", maxcount=2)
    assert sorted(file.name for file in folder.iterdir()) == [
        "shard-000000.tar", "shard-000001.tar", "shard-000002.tar",
    ]  # fmt: skip
    with tarfile.open(folder / "shard-000001.tar") as tar:
        assert tar.getnames() == [
            "000000002.jpg", "000000002.json", "000000003.jpg", "000000003.json",
        ]  # fmt: skip
    again = read(folder)
    assert [(r.id, r.turns) for r in again] == [(r.id, r.turns) for r in foreign(5)]
    assert [content(r.images[0]) for r in again] == [picture(n) for n in range(5)]


def test_the_same_records_give_the_same_bytes(tmp_path):
    one, two = (written(foreign(3), tmp_path / name, maxcount=2) for name in ("one", "two"))
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes()


def test_captions_stand_beside_for_open_clip(tmp_path):
    with tarfile.open(written(foreign(1), tmp_path / "a.tar", captions=True)) as tar:
        assert tar.extractfile("000000000.txt").read() == ANSWER.encode()


def test_a_shard_comes_back_as_it_was(tmp_path):
    members = [
        ("k1.jpg", picture(1)), ("k1.json", PAIR), ("k1.cls", b"3"), ("k1.npy", b"\x93NUMPY\0"),
        ("k2.txt", "täxt".encode()), ("k2.png", picture(2, "PNG")),
    ]  # fmt: skip
    path = shard(tmp_path / "in.tar", members)
    records = [
        record._replace(images=tuple(map(content, record.images)),
                        raw=json.loads(json.dumps(record.raw)))
        for record in read(path)
    ]  # fmt: skip
    with tarfile.open(written(records, tmp_path / "out.tar")) as tar:
        assert [(one.name, tar.extractfile(one).read()) for one in tar] == members


def test_other_readers_take_what_is_written(tmp_path):
    """Python's own tarfile groups by the first dot of a name, as the package webdataset does."""
    target = written(foreign(3), tmp_path / "out.tar")
    keys = {}
    with tarfile.open(target) as tar:
        for name in tar.getnames():
            key, _, ending = Path(name).name.partition(".")
            keys.setdefault(key, []).append(ending)
    assert keys == {f"{n:09d}": ["jpg", "json"] for n in range(3)}
