"""Decoding images that nobody vouches for."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ig4.core.files.images.decode import ImageError, decode, measure


def saved(tmp_path, image, name, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def gradient(mode="RGB"):
    ramp = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)
    return Image.fromarray(ramp).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "1", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = "tiff" if mode in ("1", "YCbCr") else "jpg"
    path = saved(tmp_path, gradient(mode), f"a.{suffix}")
    assert decode(path).mode == "RGB"
    assert decode(path).size == (32, 32)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_dropped(tmp_path, mode):
    assert decode(saved(tmp_path, gradient().convert(mode), "a.png")).mode == "RGB"


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    deep = Image.fromarray(np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16))
    grey = np.asarray(decode(saved(tmp_path, deep, "deep.png")))[..., 0]
    assert grey[0, 0] == 0
    assert grey[-1, -1] == 255
    assert 120 <= grey[8, 0] <= 136


def test_an_animation_gives_its_first_frame(tmp_path):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    path = saved(tmp_path, red, "a.gif", save_all=True, append_images=[blue])
    assert decode(path).getpixel((4, 4))[0] > 200


def test_the_ending_of_a_name_decides_nothing(tmp_path):
    path = saved(tmp_path, gradient(), "a.webp", format="WEBP").rename(tmp_path / "a.jpg")
    assert decode(path).size == (32, 32)


def png_header(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_unpacks(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(60_000, 60_000))
    with pytest.raises(ImageError, match="larger than"):
        decode(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"this is no image", "not an image"),
        ("page.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_what_is_no_image_is_said_to_be_none(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=told):
        decode(tmp_path / name)


def test_a_truncated_image_is_an_error(tmp_path):
    buffer = io.BytesIO()
    gradient().resize((256, 256)).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-600])
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode(tmp_path / "cut.jpg")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ImageError, match="missing"):
        decode(tmp_path / "none.jpg")


def test_measure_reads_the_header(tmp_path):
    assert measure(saved(tmp_path, gradient(), "a.png")) == (32, 32, "png")
    assert measure(io.BytesIO(b"no image")) is None
