"""Records whose images are parts of files, with the bytes of these parts in their place."""

from __future__ import annotations

from pathlib import Path

from ig4.core.files.images.parts import read_part
from ig4.core.records import ImagePart


def whole(record):
    """Return a record with the bytes of its images, as an export gives them to a format."""
    images = []
    for image in record.images:
        if isinstance(image, ImagePart):
            with Path(image.file).open("rb") as file:
                image = read_part(file, image.place, 1 << 20)
        images.append(image)
    return record._replace(images=tuple(images))
