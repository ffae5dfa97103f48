"""Small pictures: of the right size, kept, made anew where broken, and of no other image."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ig4.core.engine.reporting.thumbnails import Thumbnails, encoded
from ig4.core.files.images.decode import ImageError
from ig4.storage import samples

from ....harbour import N


@pytest.fixture
def images(docked, dataset):
    """The first image of each sample, by row; None where it has none."""
    with docked.store.reading() as connection:
        ids, _ = samples.ordered_ids(connection, dataset.id)
        stored = samples.by_id(connection, ids.tolist(), dataset.id)
    return [one.images[0] if one.images else None for one in stored]


def opened(data):
    return Image.open(io.BytesIO(data))


def test_a_thumbnail_is_a_small_webp(docked, images):
    picture = opened(Thumbnails.of(docked.store, 16).get(images[5]))
    assert picture.format == "WEBP"
    assert max(picture.size) == 16


def test_a_small_image_is_not_made_larger():
    assert opened(encoded(Image.new("RGBA", (7, 5), "red"), 96)).size == (7, 5)


def test_it_is_made_once_and_a_broken_one_anew(docked, images):
    made = Thumbnails.of(docked.store)
    first = made.get(images[5])
    (path,) = made.folder.rglob("*.webp")
    assert path.read_bytes() == first
    path.write_bytes(b"")
    assert made.get(images[5]) == first
    path.write_bytes(first + b" kept")
    assert made.get(images[5]) == first + b" kept"


def test_without_a_place_to_keep_them_they_are_made_all_the_same(docked, images, tmp_path):
    (tmp_path / "file").write_text("no folder")
    made = Thumbnails(tmp_path / "file" / "thumbnails")
    assert opened(made.get(images[5])).format == "WEBP"


def test_an_image_that_is_another_one_now_is_refused(docked, images, harbour_made):
    path = harbour_made / "data" / "pictures" / "quay5.png"
    before = path.read_bytes()
    Image.new("RGB", (9, 9), "pink").save(path)
    try:
        with pytest.raises(ImageError):
            Thumbnails.of(docked.store).get(images[5])
    finally:
        path.write_bytes(before)


def test_many_come_in_order_with_the_reasons_of_those_that_cannot(docked, images):
    made = Thumbnails.of(docked.store)
    wanted = [one for one in images if one is not None]
    found = list(made.many(wanted))
    assert len(found) == len(wanted)
    (missing,) = [n for n, one in enumerate(found) if isinstance(one, str)]
    assert wanted[missing] is images[10]
    assert found[0] == made.get(wanted[0])
    assert sum(image is None for image in images) == N // 5
