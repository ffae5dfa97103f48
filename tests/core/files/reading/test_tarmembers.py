"""The members of a tar are read in time and memory that its size bounds, whatever it claims."""

import gzip
import io
import shutil
import subprocess
import tarfile
import time

import pytest

from ig4.core.files.reading.tarmembers import BLOCK, BrokenTarError, tar_members

END = bytes(2 * BLOCK)


def header(kind, data):
    """Return a header before a member, of a type, with its bytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def pax(data):
    return header(tarfile.XHDTYPE, data)


def plain(name, data=b""):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def members(data):
    return [(one.name, one.problem) for one in tar_members(io.BytesIO(data))]


@pytest.fixture
def quick():
    """What is quadratic, or has no end, takes minutes where what is linear takes a moment."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < 5


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "lines", [b"0 a=bcdefgh\n", b"1 a=bcdefgh\n", b"2 a=b\n", b"3 =\n", b"99999999999 a=b\n", b"x"]
)
def test_a_line_of_pax_that_does_not_move_on_is_the_last(lines, quick):
    assert members(pax(lines) + plain("a") + END) == [("a", None)]


def test_the_last_line_of_pax_that_says_a_name_counts():
    assert members(pax(b"10 path=b\n11 path=cd\n") + plain("a") + END) == [("cd", None)]


def test_a_header_of_very_many_entries_is_refused(quick):
    with pytest.raises(BrokenTarError, match="more than 16,384 entries"):
        members(pax(b"5 a=\n" * 200_000) + plain("a") + END)


def test_many_headers_before_one_member_are_refused(quick):
    with pytest.raises(BrokenTarError, match="more than 64 headers"):
        members(pax(b"") * 20_000 + plain("a") + END)


def test_headers_before_one_member_are_bounded_together():
    with pytest.raises(BrokenTarError, match="more than one may"):
        members(pax(b"9 a=" + b"b" * 600_000) * 2 + plain("a") + END)


def test_members_with_headers_of_their_own_are_read(quick):
    data = b"".join(pax(b"10 path=b\n") + plain(str(n)) for n in range(100))
    assert members(data + END) == [("b", None)] * 100


@pytest.mark.parametrize("size", [1 << 40, 1 << 61, 1 << 70])
def test_a_size_that_is_only_claimed_takes_no_memory(size):
    info = tarfile.TarInfo("a")
    info.size = size
    stream = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(info.tobuf(tarfile.GNU_FORMAT))))
    with pytest.raises(BrokenTarError, match=r"cut off|damaged"):
        [member.read() for member in tar_members(stream)]


def test_names_that_are_no_utf_8_stay_two():
    data = b"".join(
        tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        for name in ("r\udcff", "r\udcfe")
    )
    assert len({name for name, _ in members(data + END)}) == 2


def holed(path, holes=12, step=1 << 17):
    """Write a file of zeros that no disk holds, with a letter here and there."""
    with path.open("wb") as file:
        for number in range(holes):
            file.seek(number * step)
            file.write(b"x")


@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed")
@pytest.mark.parametrize("dialect", [["gnu"], ["pax", "0.0"], ["pax", "0.1"], ["pax", "1.0"]])
def test_a_sparse_file_is_told_by_its_name_and_what_follows_is_read(tmp_path, dialect):
    holed(tmp_path / "a.bin")
    (tmp_path / "b.txt").write_text("b")
    more = [f"--sparse-version={version}" for version in dialect[1:]]
    done = subprocess.run(
        ["tar", "--sparse", f"--format={dialect[0]}", *more, "-cf", "s.tar", "a.bin", "b.txt"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("this tar writes no sparse files")
    if (tmp_path / "s.tar").stat().st_size > 1 << 20:
        pytest.skip("this file system has no holes")
    (one, problem), (two, none) = members((tmp_path / "s.tar").read_bytes())
    assert (one, two, none) == ("a.bin", "b.txt", None)
    assert "sparse" in problem
