"""Damaged images of every format: each is an image or a problem in words, never another error.

IG4_MUTATIONS says how many there are, IG4_MUTATIONS_SEED which.
"""

from __future__ import annotations

import io
import os
import random

import numpy as np
import pytest
from PIL import Image

from ig4.core.files.images.decode import ImageError, decode, inspect, measure

COUNT = int(os.environ.get("IG4_MUTATIONS", "120"))
SEED = int(os.environ.get("IG4_MUTATIONS_SEED", "11"))

OTHERS = ("DDS", "ICNS", "ICO", "PCX", "PDF", "QOI", "SGI", "TGA")
SAVED = [
    ("AVIF", "RGB", {"quality": 40, "speed": 10}),
    ("AVIF", "RGBA", {"quality": 40, "speed": 10}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("GIF", "P", {}),
    ("GIF", "P", {"save_all": True}),
    ("JPEG", "RGB", {}),
    ("JPEG", "CMYK", {"progressive": True}),
    ("JPEG", "L", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0"}),
    ("JPEG2000", "RGB", {}),
    ("JPEG2000", "RGB", {"no_jp2": True, "tile_size": (16, 16)}),
    ("MPO", "RGB", {"save_all": True}),
    ("PNG", "RGBA", {"icc_profile": b"profile" * 200}),
    ("PNG", "I;16", {}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "RGB", {"save_all": True}),
    ("PPM", "RGB", {}),
    ("PPM", "L", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "CMYK", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("TIFF", "I;16", {"big_tiff": True}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"save_all": True}),
    *((name, "RGB", {}) for name in OTHERS),
]


def picture(mode):
    ramp = np.linspace(0, 255, 40 * 40 * 3).reshape(40, 40, 3).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(ramp[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(ramp).convert(mode)


def encoded(kind, mode, options):
    buffer = io.BytesIO()
    more = {"append_images": [picture(mode)] * 2} if "save_all" in options else {}
    picture(mode).save(buffer, kind, **more, **options)
    return buffer.getvalue()


def flip(rng, data):
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(rng, data):
    del data[rng.randrange(len(data)) :]


def enlarge(rng, data):
    at = rng.randrange(max(1, min(len(data), 64)))
    data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])


def splice(rng, data):
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 400))


def repeat(rng, data):
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randint(1, 300)] * rng.randint(2, 20)


def blank(rng, data):
    at = rng.randrange(len(data))
    data[at : at + 500] = bytes(len(data[at : at + 500]))


MUTATIONS = (flip, flip, flip, cut, enlarge, splice, repeat, blank)


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        rng.choice(MUTATIONS)(rng, data)
        if not data:
            break
    return bytes(data)


@pytest.fixture(scope="module")
def originals():
    """Files of every kind that this Pillow can write, with its name."""
    made = []
    for kind, mode, options in SAVED:
        try:
            made.append((kind, encoded(kind, mode, options)))
        except (KeyError, OSError, ValueError):  # a codec that this Pillow was built without
            continue
    return made


def test_no_decoder_can_raise_anything_but_a_problem(originals):
    rng = random.Random(SEED)
    decoded = refused = 0
    for number in range(COUNT):
        kind, data = originals[number % len(originals)]
        data = mutated(rng, data)
        for use in (lambda s: inspect(s, "x"), measure, lambda s: decode(s, "x")):
            try:
                use(io.BytesIO(data))
            except ImageError as error:
                told = str(error)
                assert told.startswith("x: "), (kind, told)
                assert len(told) < 400, (kind, told)
                assert told.isprintable(), (kind, told)
                refused += 1
            else:
                decoded += 1
    assert decoded > COUNT / 10
    assert refused > COUNT / 10


def test_every_kind_of_image_is_read_whole_and_every_other_is_refused(originals):
    for kind, data in originals:
        if kind in OTHERS:
            with pytest.raises(ImageError, match=r"not an image|cannot be decoded|damaged"):
                decode(io.BytesIO(data))
        else:
            assert decode(io.BytesIO(data)).size == (40, 40)
            assert inspect(io.BytesIO(data), "x")[:2] == (40, 40)
