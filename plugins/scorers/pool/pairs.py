"""Pairs of an image and a text, as vectors of one model."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


def paired_vectors(
    pool: Pool, image_space: str, text_space: str, reader: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the vectors (n, d) of images and of texts; `reader` is the scorer that asks.

    Raises:
        UsageError: the two spaces are not of one model.
    """
    images, texts = pool.vectors(image_space), pool.vectors(text_space)
    if images.shape[1] != texts.shape[1]:
        raise UsageError(
            f"{reader} compares the spaces {image_space} ({images.shape[1]} numbers a vector) and "
            f"{text_space} ({texts.shape[1]}): choose two spaces of one CLIP model"
        )
    return images, texts


def distinct_pairs(
    images: NDArray[np.float32], texts: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of each distinct pair, the pair of each row, and how often it is there.

    Pairs stand in the order of their hashes, which is the same whatever the order of the rows.
    """
    digests = np.array(
        [
            blake2b(image.tobytes() + text.tobytes(), digest_size=16).hexdigest()
            for image, text in zip(images, texts, strict=True)
        ],
        dtype="S32",
    )
    _, first, place, counts = np.unique(
        digests, return_index=True, return_inverse=True, return_counts=True
    )
    return first, place.reshape(-1), counts
