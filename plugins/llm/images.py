"""Images as they are sent to language models: not larger than needed, always JPEG."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ig4.core.records import Image

QUALITY = 90


def jpeg(image: Image, max_side: int) -> bytes:
    """Return an image as JPEG bytes, scaled down to a longest side of `max_side` pixels.

    The same image gives the same bytes on one machine: they are part of what is asked.

    Raises:
        ImageError: it cannot be read.
    """
    pixels = image.pixels()
    pixels.thumbnail((max_side, max_side))  # never enlarges
    stream = io.BytesIO()
    pixels.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


async def jpegs(images: Sequence[Image], max_side: int) -> tuple[bytes, ...]:
    """Return images as JPEG bytes, read in threads; raises as `jpeg`."""
    return tuple([await asyncio.to_thread(jpeg, image, max_side) for image in images])
