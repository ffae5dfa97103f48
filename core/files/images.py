"""Decodes images of a data set; none of them is trusted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ig4.core.errors import Ig4Error

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused: twice Pillow's warning limit, its own error limit."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
"""Decoders that may run; those that start other programs (EPS) or fetch files are left out."""


class ImageError(Ig4Error):
    """An image cannot be read or decoded; says why."""


def decode(source: Path | BinaryIO, name: str | None = None) -> Picture:
    """Return the first frame of an image as RGB, its EXIF orientation left as stored.

    Alpha is dropped, 16-bit grey is scaled to 8 bits, CMYK is converted; a file's ending need not
    match its contents. Messages call the image `name`, by default that of its file.

    Raises:
        ImageError: missing, empty, truncated, not an image, or over MAX_PIXELS.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or (source.name if isinstance(source, Path) else "the image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=_decoders()) as image:
                _require_size(image.size, name)
                return _to_rgb(image)
    except FileNotFoundError:
        raise ImageError(f"{name}: the image file is missing") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: the image is larger than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: {_not_an_image(source)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise ImageError(f"{name}: the image cannot be decoded ({error})") from None


def measure(source: Path | BinaryIO) -> tuple[int, int, str] | None:
    """Return width, height and format from an image's header, or None if it is not one."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=_decoders()) as image:
                return image.width, image.height, (image.format or "").lower()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


def _decoders() -> list[str]:
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _require_size(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(f"{name}: the image is larger than {MAX_PIXELS:,} pixels")


def _not_an_image(source: Path | BinaryIO) -> str:
    if isinstance(source, Path) and source.stat().st_size == 0:
        return "the image file is empty"
    return "the file is not an image that can be decoded"


def _to_rgb(image: Picture) -> Picture:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 when it converts; scale it instead.
        import numpy as np
        from PIL import Image

        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if grey.max(initial=0) > 255 else 255.0
        return Image.fromarray((grey * (255.0 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
