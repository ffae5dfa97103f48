"""What a shard holds is bounded and told: no member is lost, mistaken or merged without a word."""

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.images.files import LIMIT
from ig4.core.files.opening import folder_roots, only_beneath
from ig4.core.records import Image
from ig4.plugins.formats.webdataset import WebDataset

PAIR = json.dumps({"question": "What is it?", "answer": "A bus."}).encode()


def shard(path, members, **said):
    """Write members, (name, bytes), to a tar."""
    with tarfile.open(path, "w", **said) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def packed(path, members):
    plain = shard(path.with_suffix(".plain"), members)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return path


def read(path):
    return list(WebDataset(WebDataset.Options()).read(path))


@pytest.fixture
def small(monkeypatch):
    """Images of at most one MiB."""
    monkeypatch.setenv(LIMIT, "1")


def test_an_image_of_a_compressed_shard_is_no_larger_than_any_other_may_be(tmp_path, small):
    large = bytes((1 << 20) + 1)
    path = packed(tmp_path / "a.tar.gz", [("1.json", PAIR), ("1.jpg", large), ("2.json", PAIR)])
    one, two = read(path)
    assert one.images == ()
    assert "larger than 1,048,576 bytes (IG4_MAX_IMAGE_MIB)" in one.problem
    assert two.problem is None


def test_the_images_of_one_sample_are_bounded_together(tmp_path, small):
    whole = [(f"1.{n}.jpg", bytes(1 << 20)) for n in range(70)]
    path = packed(tmp_path / "a.tar.gz", [*whole, ("2.json", PAIR)])
    one, two = read(path)
    assert sum(map(len, one.images)) == 64 << 20
    assert "more than 67,108,864 bytes together" in one.problem
    assert two.problem is None


def test_the_members_of_one_sample_are_bounded(tmp_path):
    path = shard(tmp_path / "a.tar", [(f"1.{n}.jpg", b"") for n in range(10_001)])
    (record,) = read(path)
    assert len(record.images) == 10_000
    assert "more than 10,000 members" in record.problem


@pytest.mark.parametrize("size", [1 << 40, 1 << 70])
@pytest.mark.parametrize("ending", ["jpg", "json", "bin"])
def test_a_member_that_only_claims_to_be_enormous_ends_no_reading(tmp_path, size, ending):
    info = tarfile.TarInfo(f"1.{ending}")
    info.size = size
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
    (record,) = read(path)
    assert "cannot be read to its end" in record.problem


@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed")
@pytest.mark.parametrize("dialect", ["gnu", "pax"])
def test_a_sparse_file_is_a_problem_of_its_own_sample_alone(tmp_path, dialect):
    with (tmp_path / "a.png").open("wb") as file:
        for number in range(12):
            file.seek(number << 17)
            file.write(b"x")
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_bytes(PAIR)
    subprocess.run(
        ["tar", "--sparse", f"--format={dialect}", "-cf", "s.tar",
         "a.json", "a.png", "b.json", "c.json"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    if (tmp_path / "s.tar").stat().st_size > 1 << 20:
        pytest.skip("this file system has no holes")
    one, two, three = read(tmp_path / "s.tar")
    assert [record.id for record in (one, two, three)] == ["a", "b", "c"]
    assert "sparse" in one.problem
    assert (two.problem, three.problem) == (None, None)


def test_damage_is_told_beside_what_else_is_wrong_with_the_last_sample(tmp_path):
    path = shard(tmp_path / "a.tar", [("1.json", b"{]"), ("2.json", PAIR)])
    path.write_bytes(path.read_bytes()[:1024] + b"\xaa" * 512)
    (record,) = read(path)
    assert record.problem.startswith("the shard a.tar cannot be read to its end")
    assert "no valid JSON" in record.problem


def test_a_key_begins_behind_the_folder_that_tar_writes_first(tmp_path):
    path = shard(tmp_path / "a.tar", [("./1.json", PAIR), ("./d/2.json", PAIR)])
    assert [record.id for record in read(path)] == ["1", "d/2"]


def test_keys_that_are_no_utf_8_are_two_samples_with_an_image_each(tmp_path):
    names = [f"r{sign}.{ending}" for sign in "\udcff\udcfe" for ending in ("json", "jpg")]
    path = shard(
        tmp_path / "a.tar", [(name, PAIR) for name in names],
        format=tarfile.GNU_FORMAT, errors="surrogateescape",
    )  # fmt: skip
    one, two = read(path)
    assert (one.problem, two.problem) == (None, None)
    assert {one.images[0].name, two.images[0].name} == {r"a.tar/r\xff.jpg", r"a.tar/r\xfe.jpg"}
    json.dumps([one.raw, two.raw], ensure_ascii=False).encode("utf-8")


def test_images_of_joined_shards_that_have_one_name_are_two(tmp_path):
    for n in range(2):
        shard(tmp_path / f"{n}.tar", [("k.json", PAIR), ("k.jpg", b"%d" % n), ("z.json", PAIR)])
    path = tmp_path / "whole.tar"
    path.write_bytes(b"".join((tmp_path / f"{n}.tar").read_bytes() for n in range(2)))
    images = [image for record in read(path) for image in record.images]
    assert len({image.name for image in images}) == 2
    assert [Image(None, source=one.file, part=one.place).read() for one in images] == [b"0", b"1"]


@pytest.mark.parametrize("value", [{"$image": [1]}, {"$base64": 5}, {"$image": 0}, {"$json": 1}])
def test_json_that_looks_like_what_stands_for_a_member_stands_for_nothing(tmp_path, value):
    said = json.dumps(value).encode()
    path = shard(tmp_path / "a.tar", [("1.json", PAIR), ("1.meta.json", said), ("1.jpg", b"x")])
    (record,) = read(path)
    assert record.raw["meta.json"] == {"$json": value}
    assert record.raw["jpg"] == {"$image": 0}


def test_a_member_that_is_called_as_the_key_is_takes_no_ones_place(tmp_path):
    (record,) = read(shard(tmp_path / "a.tar", [("1.json", PAIR), ("1.__key__", b"2")]))
    assert (record.id, record.raw["__key__"]) == ("1", "1")
    assert "'1.__key__' is not read" in record.problem


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="who is root may read all")
def test_a_shard_that_may_not_be_opened_is_named(tmp_path):
    shard(tmp_path / "a.tar", [("1.json", PAIR)])
    shard(tmp_path / "b.tar", [("2.json", PAIR)]).chmod(0)
    with pytest.raises(DatasetError, match=r"the shard b\.tar cannot be opened: Permission denied"):
        read(tmp_path)


def test_a_shard_without_a_single_sample_is_told(tmp_path):
    shard(tmp_path / "a.tar", [("1.json", PAIR)])
    shard(tmp_path / "b.tar", [("README", b"x"), ("LICENSE", b"y")])
    shard(tmp_path / "c.tar", [])
    one, two = read(tmp_path)
    assert one.problem is None
    assert two.problem.startswith("the shard b.tar has members, but no sample")


def test_a_shard_that_is_a_link_to_elsewhere_is_named_and_says_what_helps(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.tar").symlink_to(shard(tmp_path / "a.tar", [("1.json", PAIR)]))
    with only_beneath(folder_roots(folder)):
        assert WebDataset(WebDataset.Options()).detect(folder)
        with pytest.raises(DatasetError, match=r"the shard a\.tar cannot .* If you trust it"):
            read(folder)


def test_a_shard_that_is_gone_meanwhile_is_named(tmp_path):
    for name in ("a", "b"):
        shard(tmp_path / f"{name}.tar", [(f"{name}.json", PAIR)])
    records = WebDataset(WebDataset.Options()).read(tmp_path)
    assert next(records).id == "a"
    (tmp_path / "b.tar").unlink()
    with pytest.raises(DatasetError, match=r"the shard b\.tar cannot be opened: No such file"):
        list(records)
