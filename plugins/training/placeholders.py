"""Token ids with placeholders for images, and the embeddings that replace them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

IMAGE = -200
"""The token id in place of one vector of an image; LLaVA's own number.

It is in no vocabulary, so it does not change any logit.
"""

IGNORED = -100
"""The label of tokens without a loss; torch's cross-entropy ignores it."""


def embed(embedding: Callable[[Tensor], Tensor], ids: Tensor, images: Tensor | None) -> Tensor:
    """Return (n, length, width): embedded `ids` (n, length), with `images` in place of IMAGE.

    `images` is (m, vectors, width), in the order of their placeholders, row by row.

    Raises:
        ValueError: there are more or fewer placeholders than vectors.
    """
    places = ids == IMAGE
    embedded = embedding(ids.masked_fill(places, 0))
    vectors = 0 if images is None else images.shape[0] * images.shape[1]
    if int(places.sum()) != vectors:
        raise ValueError(f"{int(places.sum())} placeholders for {vectors} vectors of images")
    if images is None:
        return embedded
    flat = images.reshape(-1, images.shape[-1]).to(embedded.dtype)
    return embedded.masked_scatter(places[..., None], flat)


def pad_rows(rows: list[list[int]], filling: int, *, left: bool = False) -> Tensor:
    """Return rows of ids as one (n, longest) int64 tensor, padded on the right or the left."""
    longest = max(map(len, rows), default=0)
    lines = []
    for row in rows:
        rest = [filling] * (longest - len(row))
        lines.append([*rest, *row] if left else [*row, *rest])
    return torch.tensor(lines, dtype=torch.int64).reshape(len(rows), longest)


def padding_mask(rows: list[list[int]], *, left: bool = False) -> Tensor:
    """Return the (n, longest) mask of rows padded by `pad_rows`: 1 for a row's own ids, else 0."""
    return pad_rows([[1] * len(row) for row in rows], 0, left=left)
