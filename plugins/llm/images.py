"""Images for language models: JPEG, and not larger than needed."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.files.images.decode import ImageError
from ig4.core.files.images.decoding.memory import MEMORY

if TYPE_CHECKING:
    from ig4.core.records import Image

QUALITY = 90


def jpeg(image: Image, max_side: int) -> bytes:
    """Return an image as JPEG bytes, scaled down to a longest side of `max_side` pixels.

    The same image gives the same bytes on one machine: they are part of the request.

    Raises:
        ImageError: it cannot be read.
    """
    with MEMORY.kept():
        pixels = image.pixels()
        try:
            pixels.thumbnail((max_side, max_side))  # never enlarges
            stream = io.BytesIO()
            pixels.save(stream, "JPEG", quality=QUALITY)
        except (MemoryError, OSError, ValueError) as error:
            reason = str(error) or "memory ran out"
            raise ImageError(f"{image.name}: the image cannot be made a JPEG ({reason})") from None
    return stream.getvalue()


def tiles(content: bytes) -> int:
    """Return the number of 512-pixel tiles of an image, its shorter side at most 768."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(content)) as image:
        width, height = image.size
    scale = min(1.0, 2048 / max(width, height), 768 / min(width, height))
    return math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


async def jpegs(images: Sequence[Image], max_side: int) -> tuple[bytes, ...]:
    """Return images as JPEG bytes, read in threads; raises as `jpeg`."""
    return tuple([await asyncio.to_thread(jpeg, image, max_side) for image in images])
