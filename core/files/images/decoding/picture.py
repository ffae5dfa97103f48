"""Opens, measures and decodes one image in this process; any failure is a reason in words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO

from ig4.core.errors import Ig4Error
from ig4.core.files.images.decoding.kinds import HEAD, image_format, not_an_image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_PIXELS = 178_956_970
"""Images with more pixels are refused: twice Pillow's warning limit, its own error limit."""

_PLUGINS = {
    "AVIF": "Avif",
    "BMP": "Bmp",
    "GIF": "Gif",
    "JPEG": "Jpeg",
    "JPEG2000": "Jpeg2K",
    "PNG": "Png",
    "PPM": "Ppm",
    "TIFF": "Tiff",
    "WEBP": "WebP",
}
FORMATS = tuple(_PLUGINS)
"""Decoders that may run; those that start other programs (EPS) or fetch files are left out."""

_TOO_LARGE = f"the image is larger than {MAX_PIXELS:,} pixels"
_CODECS = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
_BAND = 1 << 20  # pixels that are scaled from 16 bits at a time
# Bytes for each pixel at the highest: what the decoder holds beside Pillow's two buffers of four.
# WebP's has two canvases, JPEG 2000's an int32 for each channel, progressive JPEG's coefficients.
_BYTES_PER_PIXEL = {"JPEG2000": 24, "WEBP": 20, "AVIF": 16, "TIFF": 16, "JPEG": 16}
_OTHER_BYTES_PER_PIXEL = 12
_REASON = 200


class ImageError(Ig4Error):
    """An image cannot be read or decoded; says why."""


@contextmanager
def opened(source: BinaryIO) -> Iterator[Picture]:
    """Open an image that lies in memory or in an open file; its pixels are not decoded yet.

    Raises:
        ImageError: not an image, or over MAX_PIXELS; also for whatever fails inside the block.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=_decoders()) as image:
                _require_size(image)
                yield image
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(_TOO_LARGE) from None
    except UnidentifiedImageError:
        raise ImageError(_what_it_is(source)) from None
    except MemoryError:
        raise ImageError("the image cannot be decoded (memory ran out)") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything; it is this image's
        raise ImageError(f"the image cannot be decoded ({_reason(error)})") from None


def shape(image: Picture) -> tuple[int, int, str]:
    """Return width, height, and the format in lower case."""
    return image.width, image.height, (image.format or "").lower()


def needed_bytes(image: Picture) -> int:
    """Return about how many bytes it takes to decode an opened image to RGB."""
    each = _BYTES_PER_PIXEL.get(image.format or "", _OTHER_BYTES_PER_PIXEL)
    return image.width * image.height * each


def rgb(image: Picture) -> Picture:
    """Return the first frame of an opened image as RGB; 16-bit grey is scaled to 8 bits."""
    return _scaled(image) if image.mode.startswith("I") else image.convert("RGB")


def _scaled(image: Picture) -> Picture:
    """Return grey of 16 or 32 bits as RGB; Pillow would clip it at 255.

    It goes by bands and a table: as floating point numbers the whole would be eight times its size.
    """
    import numpy as np
    from PIL import Image

    image.load()
    rows = max(1, _BAND // max(1, image.width))
    boxes = [
        (0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)
    ]
    brightest = max((int(np.asarray(image.crop(box)).max(initial=0)) for box in boxes), default=0)
    levels = np.arange(65536) * (255.0 / (65535.0 if brightest > 255 else 255.0))
    grey = levels.clip(0, 255).astype(np.uint8)
    picture = Image.new("RGB", image.size)
    for box in boxes:
        deep = np.asarray(image.crop(box)).clip(0, 65535)
        picture.paste(Image.fromarray(grey[deep]).convert("RGB"), box)
    return picture


def _require_size(image: Picture) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(_TOO_LARGE)


@cache
def _decoders() -> list[str]:
    from PIL import Image

    for name in _PLUGINS.values():
        with suppress(ImportError):  # an older Pillow
            import_module(f"PIL.{name}ImagePlugin")
    return [name for name in FORMATS if name in Image.OPEN]


def _what_it_is(source: BinaryIO) -> str:
    """Return why Pillow does not know a file as an image."""
    from PIL import features

    source.seek(0)
    head = source.read(HEAD)
    codec = _CODECS.get(image_format(head) or "")
    if codec is not None and not features.check(codec):
        return f"the file is an image of a kind that this Pillow was built without ({codec})"
    return not_an_image(head)


def _reason(error: Exception) -> str:
    """Return an error of a decoder in one line; it may quote the file."""
    text = "".join(c if c.isprintable() else " " for c in f"{error}")
    text = " ".join(text.split())[:_REASON]
    return text or type(error).__name__
