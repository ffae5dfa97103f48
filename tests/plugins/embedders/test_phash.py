"""Perceptual hashes: a picture that was saved, resized or cut anew is found, another one is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.statistics.hamming import near_hashes

imagehash = pytest.importorskip("imagehash")

BITS = 6


def scene(seed, size=(240, 180)):
    """A picture of soft light with some shapes before it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    picture = coarse.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y = rng.integers(0, 200), rng.integers(0, 140)
        width, height = rng.integers(20, 80, size=2)
        color = tuple(rng.integers(0, 255, 3).tolist())
        draw.ellipse((x, y, x + width, y + height), fill=color)
    return picture


def saved_anew(picture):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=40)
    return Image.open(file).convert("RGB")


def halved(picture):
    return picture.resize((picture.width // 2, picture.height // 2))


def cut(picture):
    """The picture without 2 % of its width and height."""
    x, y = round(picture.width * 0.01), round(picture.height * 0.01)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def hashes(pictures, **options):
    embedder = Host.discover().build(Choice("embedder", "phash", options))
    embedder.open()
    try:
        return embedder.embed([embedder.prepare(picture) for picture in pictures])
    finally:
        embedder.close()


def found_pairs(pictures, **options):
    """The copies that are found, and the different pictures that are taken for copies."""
    copies = [change(one) for change in (saved_anew, halved, cut) for one in pictures]
    vectors = hashes([*pictures, *copies], **options)
    n = len(pictures)
    first, second, _ = near_hashes(vectors, BITS)
    own = first % n == second % n
    with_original = {int(row) for row in second[own & (first < n)]}
    return with_original - set(range(n)), int((~own).sum()), len(copies)


def test_the_bits_are_those_of_the_library():
    picture = scene(0)
    for name in ("phash", "dhash", "whash"):
        (vector,) = hashes([picture], hash=name)
        expected = getattr(imagehash, name)(picture).hash.reshape(-1)
        np.testing.assert_array_equal(vector, np.where(expected, 1, -1))
    assert hashes([picture], hash_size=16).shape == (1, 256)


def test_generated_pictures_are_found_again_and_others_are_not():
    found, wrong, copies = found_pairs([scene(seed) for seed in range(40)])
    assert (len(found), wrong) == (copies, 0)


@pytest.mark.shared
def test_photographs_are_found_again_and_others_are_not(shared):
    files = sorted((shared / "data" / "photos-documerica" / "images").glob("*.jpg"))
    photos = [Image.open(file).convert("RGB") for file in files]
    assert len(photos) > 30
    found, wrong, copies = found_pairs(photos)
    assert (len(found), wrong) == (copies, 0)


def test_a_wavelet_needs_a_power_of_two():
    with pytest.raises(UsageError, match="power of 2"):
        hashes([], hash="whash", hash_size=6)
