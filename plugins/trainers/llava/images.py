"""Image preprocessing of LLaVA-1.5: the whole image, padded to a square."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.files.images.decode import MAX_PIXELS, require_square
from ig4.plugins.trainers.minigpt4.images import MEAN, image_tensor

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from torch import Tensor

PADDING_COLOUR = tuple(int(value * 255) for value in MEAN)
"""The colour around images that are not square: CLIP's mean."""


def require_paddable(picture: Picture) -> None:
    """Raise ImageShapeError if the square of an image would have more than MAX_PIXELS."""
    width, height = picture.size
    if width != height:
        require_square(picture.size, MAX_PIXELS)


def pad_to_square(picture: Picture) -> Picture:
    """Return an image centred in a square of its longer side.

    Raises:
        ImageShapeError: that would have more than MAX_PIXELS.
    """
    from PIL import Image

    require_paddable(picture)
    width, height = picture.size
    if width == height:
        return picture
    side = max(width, height)
    square = Image.new("RGB", (side, side), PADDING_COLOUR)
    square.paste(picture, ((side - width) // 2, (side - height) // 2))
    return square


def padded_image_tensor(picture: Picture, side: int) -> Tensor:
    """Return the (3, side, side) float32 that CLIP takes; raises as `pad_to_square`."""
    return image_tensor(pad_to_square(picture), side)
