"""Bounds what an image may become when a model's preprocessing enlarges it."""

from __future__ import annotations

from ig4.core.files.images.decoding.picture import ImageError

MAX_RESIZED_PIXELS = 1 << 25
"""The most pixels of an image that was resized by its shorter side; before anything is cropped.

At 224 pixels that is an image 668 times as long as wide: no photograph, and no page either.
"""


class ImageShapeError(ImageError):
    """An image is so long and narrow that a model's preprocessing would make it enormous."""


def require_resizable(size: tuple[int, int], shorter: int) -> None:
    """Check that an image may be resized to a shorter side of so many pixels.

    A strip of 2 x 200,000 pixels would have five billion.

    Raises:
        ImageShapeError: it would have more than MAX_RESIZED_PIXELS.
    """
    short, long = sorted(size)
    longer = long * shorter // max(1, short)
    if shorter * longer > MAX_RESIZED_PIXELS:
        raise ImageShapeError(
            f"the image is too narrow: {size[0]:,} x {size[1]:,} pixels, resized to a shorter side "
            f"of {shorter:,}, are {shorter * longer:,} (at most {MAX_RESIZED_PIXELS:,})"
        )


def require_square(size: tuple[int, int], limit: int) -> None:
    """Check that an image may be padded to a square of its longer side.

    Raises:
        ImageShapeError: the square would have more than `limit` pixels.
    """
    side = max(size)
    if side * side > limit:
        raise ImageShapeError(
            f"the image is too long: {size[0]:,} x {size[1]:,} pixels, padded to a square, are "
            f"{side * side:,} (at most {limit:,})"
        )
