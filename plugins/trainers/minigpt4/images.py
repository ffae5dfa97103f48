"""Image preprocessing of MiniGPT-4, for training and for generation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
_SCALE = (0.5, 1.0)
_RATIO = (3 / 4, 4 / 3)
_TRIES = 10


def image_tensor(picture: Picture, side: int) -> Tensor:
    """Return (3, side, side) float32: the whole image, without keeping its proportions.

    Pillow 13 resizes first along the cheaper side, older versions always along the width: some
    pixels of upright images differ by one grey level.
    """
    from PIL import Image

    return normalise(picture.resize((side, side), Image.Resampling.BICUBIC))


def crop_tensor(picture: Picture, box: tuple[int, int, int, int], side: int) -> Tensor:
    """Return (3, side, side) float32: the box (top, left, height, width) of an image."""
    top, left, height, width = box
    return image_tensor(picture.crop((left, top, left + width, top + height)), side)


def random_crop(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return a random (top, left, height, width): half to all of an image, between 3:4 and 4:3.

    The distribution is that of torchvision's RandomResizedCrop: after ten boxes that do not fit it
    takes the middle of the image.
    """
    low, high = (math.log(one) for one in _RATIO)
    for _ in range(_TRIES):
        area = width * height * rng.uniform(*_SCALE)
        ratio = math.exp(rng.uniform(low, high))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    w, h = width, height
    if width / height < _RATIO[0]:
        h = round(width / _RATIO[0])
    elif width / height > _RATIO[1]:
        w = round(height * _RATIO[1])
    return (height - h) // 2, (width - w) // 2, h, w


def normalise(picture: Picture) -> Tensor:
    """Return (3, height, width) float32 of an RGB image, by CLIP's mean and deviation."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
    scaled = pixels.to(torch.float32).div(255)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return scaled.sub_(mean).div_(std)
