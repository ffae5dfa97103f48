"""Images as all parts read them: the bytes that were ingested, from where they may lie."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys

import pytest
from PIL import Image as Pillow

from ig4.core.files.images.decode import ImageError
from ig4.core.records import Image


def png(colour):
    buffer = io.BytesIO()
    Pillow.new("RGB", (5, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def image(tmp_path):
    """A red image in a folder, known by its sha256."""
    path = tmp_path / "data" / "a.png"
    path.parent.mkdir()
    path.write_bytes(png("red"))
    return Image(path, hashlib.sha256(png("red")).hexdigest(), roots=(str(path.parent),))


def test_an_image_is_its_bytes_and_its_pixels(image):
    assert image.read() == png("red")
    assert image.pixels().getpixel((0, 0)) == (255, 0, 0)
    assert pickle.loads(pickle.dumps(image)).pixels().size == (5, 4)


def test_other_bytes_than_those_ingested_are_never_given_out(image):
    image.path.write_bytes(png("blue"))
    for read in (image.read, image.pixels):
        with pytest.raises(ImageError, match=r"a\.png: the image changed since it was ingested"):
            read()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_the_same_bytes_elsewhere_are_another_file(image, tmp_path):
    image.path.rename(tmp_path / "a.png")
    image.path.symlink_to("../a.png")
    with pytest.raises(ImageError, match=r"a\.png: the image is a link that leaves"):
        image.pixels()


def test_a_file_that_the_user_named_may_be_anywhere(image):
    assert Image(image.path).read() == png("red")


def test_an_empty_and_a_missing_file_say_so(image):
    image.path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"a\.png: the image file is empty"):
        image.read()
    image.path.unlink()
    with pytest.raises(ImageError, match=r"a\.png: the image file is missing"):
        image.read()


def test_an_image_without_a_file_says_its_problem():
    with pytest.raises(ImageError, match="it is gone"):
        Image(None, None, "it is gone").read()
