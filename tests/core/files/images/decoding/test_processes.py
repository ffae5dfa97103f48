"""Processes that decode: within limits, replaced when they die, and gone with who started them."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from ig4.core.files.images.decode import ISOLATE, ImageError, decode, inspect
from ig4.core.files.images.decoding import processes
from ig4.core.files.images.decoding.processes import DecoderPool

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


RED = saved(Image.new("RGB", (30, 20), "red"))


def grey_png(width, height, bits=16):
    """A black PNG that is small on disk, made without its pixels in memory."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    pack = zlib.compressobj(9)
    rows = (
        b"".join(pack.compress(bytes(1 + bits * width // 8)) for _ in range(height)) + pack.flush()
    )
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.fixture
def pool():
    made = DecoderPool(count=1)
    yield made
    made.close()


def process_of(pool):
    (process,) = pool._idle
    return process._process.pid


def test_pixels_are_those_that_this_process_would_decode(pool):
    pictures = [
        Image.radial_gradient("L").resize((70, 3000)).convert(mode) for mode in ("RGB", "P")
    ]
    for data in [saved(one, "TIFF") for one in pictures] + [RED]:
        with Image.open(io.BytesIO(data)) as image:
            expected = image.convert("RGB")
        assert pool.decode(data).tobytes() == expected.tobytes()
        assert pool.measure(data)[:2] == expected.size


def test_a_problem_is_told_and_the_process_goes_on(pool):
    pool.decode(RED)
    first = process_of(pool)
    with pytest.raises(ImageError, match="not an image"):
        pool.decode(b"no image at all")
    assert pool.decode(RED).size == (30, 20)
    assert process_of(pool) == first


@posix
def test_a_process_that_was_killed_while_idle_costs_no_image(pool):
    pool.decode(RED)
    os.kill(process_of(pool), signal.SIGKILL)
    assert pool.decode(RED).size == (30, 20)


@posix
def test_an_image_that_needs_more_memory_than_allowed_is_its_own_problem():
    pool = DecoderPool(count=1, memory=400 << 20)
    try:
        with pytest.raises(ImageError, match="memory ran out"):
            pool.decode(grey_png(16_000, 8_000, bits=1))
        assert pool.decode(RED).size == (30, 20)
    finally:
        pool.close()


@posix
def test_an_image_that_takes_too_long_is_its_own_problem():
    pool = DecoderPool(count=1, seconds=1)
    try:
        pool.decode(RED)
        os.kill(process_of(pool), signal.SIGSTOP)
        with pytest.raises(ImageError, match="longer than 1 seconds"):
            pool.decode(RED)
        assert pool.decode(RED).size == (30, 20)
    finally:
        pool.close()


@posix
def test_a_decoder_that_crashes_each_time_is_the_images_problem(pool, monkeypatch):
    # The interpreter that it is started with dies of what it gets.
    monkeypatch.setattr(
        processes, "_PROGRAM",
        "import os; os.write(1, b'ig4\\n'); os.read(0, 1); os.kill(os.getpid(), 11)",
    )  # fmt: skip
    with pytest.raises(ImageError, match=r"crashed \(SIGSEGV\)"):
        pool.decode(RED)


def test_where_no_process_can_start_images_are_decoded_here(monkeypatch):
    monkeypatch.setattr(processes, "_PROGRAM", "raise SystemExit(1)")
    monkeypatch.setattr("ig4.core.files.images.decode.PROCESSES", DecoderPool())
    data = saved(Image.new("RGB", (30, 20), "red"), "TIFF")
    assert decode(io.BytesIO(data)).getpixel((3, 3)) == (255, 0, 0)
    assert inspect(io.BytesIO(data), "x") == (30, 20, "tiff")


def test_all_images_can_be_sent_to_processes(monkeypatch):
    pool = DecoderPool()
    monkeypatch.setattr("ig4.core.files.images.decode.PROCESSES", pool)
    decode(io.BytesIO(RED))
    assert not pool._idle
    monkeypatch.setenv(ISOLATE, "1")
    assert decode(io.BytesIO(RED)).getpixel((3, 3)) == (255, 0, 0)
    assert len(pool._idle) == 1
    pool.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_sixteen_bits_of_many_pixels_do_not_take_gigabytes(tmp_path):
    (tmp_path / "deep.png").write_bytes(grey_png(6_500, 6_500))
    code = (
        "import sys; from pathlib import Path; from ig4.core.files.images.decode import decode;"
        "assert decode(Path(sys.argv[1])).size == (6500, 6500);"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "deep.png")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) < 600_000  # kilobytes; as floating point numbers it took 1.2 million


@posix
def test_no_process_is_left_after_the_one_that_asked_was_killed():
    code = (
        "import io, sys; from ig4.core.files.images.decoding.processes import PROCESSES as pool;"
        "pool.decode(sys.stdin.buffer.read()); print(pool._idle[0]._process.pid, flush=True);"
        "import time; time.sleep(60)"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    asking.stdin.write(RED)
    asking.stdin.close()
    decoder = int(asking.stdout.readline())
    asking.kill()
    asking.wait()
    asking.stdout.close()
    deadline = time.monotonic() + 10
    while is_alive(decoder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(decoder)


def is_alive(pid):
    """Tell whether a process runs; one that ended may still wait for somebody to notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("data", "isolated"),
    [
        (RED, False),
        (RED + b"\xff\xda" * 200, False),
        (saved(Image.new("RGB", (30, 20)), "JPEG", progressive=True), False),
        (saved(Image.new("RGB", (30, 20)), "JPEG") + b"\xff\xda" * 200, True),
        (saved(Image.new("RGB", (30, 20)), "PPM"), True),
        (saved(Image.new("RGB", (30, 20)), "TIFF"), True),
        (b"no image", False),
    ],
    ids=["png", "png with such bytes", "jpeg", "jpeg of many scans", "ppm", "tiff", "none"],
)
def test_what_is_unusual_is_decoded_in_a_process(monkeypatch, data, isolated):
    pool = DecoderPool()
    monkeypatch.setattr("ig4.core.files.images.decode.PROCESSES", pool)
    with suppress(ImageError):
        decode(io.BytesIO(data))
    assert bool(pool._idle) == isolated
    pool.close()
