"""Token ids with places for images, and the embeddings that go there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

IMAGE = -200
"""Stands in token ids where one vector of an image goes; LLaVA's own number for it.

No vocabulary has it, so that it takes no logit away from anything.
"""

IGNORED = -100
"""Stands in labels where nothing is learned; what torch's cross-entropy passes over."""


def embed(embedding: Callable[[Tensor], Tensor], ids: Tensor, images: Tensor | None) -> Tensor:
    """Return (n, length, width): embedded `ids` (n, length), `images` in the places of IMAGE.

    `images` is (m, vectors, width), in the order in which their places come, row by row.

    Raises:
        ValueError: there are more or fewer places than vectors.
    """
    places = ids == IMAGE
    embedded = embedding(ids.masked_fill(places, 0))
    vectors = 0 if images is None else images.shape[0] * images.shape[1]
    if int(places.sum()) != vectors:
        raise ValueError(f"{int(places.sum())} places for {vectors} vectors of images")
    if images is None:
        return embedded
    flat = images.reshape(-1, images.shape[-1]).to(embedded.dtype)
    return embedded.masked_scatter(places[..., None], flat)


def pad_rows(rows: list[list[int]], filling: int, *, left: bool = False) -> Tensor:
    """Return rows of ids as one (n, longest) int64 tensor, filled up on the right or the left."""
    longest = max(map(len, rows), default=0)
    lines = []
    for row in rows:
        rest = [filling] * (longest - len(row))
        lines.append([*rest, *row] if left else [*row, *rest])
    return torch.tensor(lines, dtype=torch.int64).reshape(len(rows), longest)


def padding_mask(rows: list[list[int]], *, left: bool = False) -> Tensor:
    """Return the (n, longest) mask of rows padded by `pad_rows`: 1 for a row's own ids, else 0."""
    return pad_rows([[1] * len(row) for row in rows], 0, left=left)
