"""Files that are compressed: what can be unpacked is read, and what cannot is told as such."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.formats import resolve
from ig4.core.files.reading.compressed import open_binary
from ig4.core.host.host import Host

LINES = b"".join(b'{"id": %d, "question": "?", "answer": "!"}\n' % n for n in range(50))
SKIPPED = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.fixture(scope="module")
def host():
    return Host.discover()


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(LINES[:100]) + gzip.compress(LINES[100:]),
        gzip.compress(LINES) + bytes(512),
        zstd(LINES[:100]) + zstd(LINES[100:]),
        zstd(LINES[:100]) + SKIPPED + zstd(LINES[100:]),
        SKIPPED + zstd(LINES),
    ],
    ids=["two members", "padding", "two frames", "a frame that is skipped", "one at the beginning"],
)
def test_all_members_of_a_file_are_read(tmp_path, host, data):
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with open_binary(path) as file:
        assert file.read() == LINES
    assert resolve(host, path)[0] == "jsonl"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(LINES)[:-20], "cut off or broken"),
        (gzip.compress(LINES) + b"garbage", "cut off or broken"),
        (gzip.compress(b""), "nothing is compressed in it"),
        (zstd(LINES)[:-20], "not a whole Zstandard file"),
        (zstd(LINES) + b"garbage", "not a whole Zstandard file"),
        (bz2.compress(LINES), "compressed with bzip2: unpack it"),
        (lzma.compress(LINES), "compressed with xz: unpack it"),
    ],
    ids=["cut gz", "gz with more", "empty gz", "cut zst", "zst with more", "bz2", "xz"],
)
def test_what_cannot_be_unpacked_is_not_taken_for_an_unknown_format(tmp_path, host, data, words):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=words):
        resolve(host, path)
