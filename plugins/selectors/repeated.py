"""Which samples repeat another one of a pool: the same content, or nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Neighbours

_CHUNK = 1 << 16


def first_of_its_kind(
    contents: NDArray[np.int64],
    near: tuple[Neighbours, NDArray[np.float32]] | None,
    alike: float,
) -> NDArray[np.bool_]:
    """Return which rows (n,) repeat no row before them.

    Rows repeat each other that have the same number in `contents` (n,); and, with `near`, whose
    images are neighbours of a cosine above `alike` and whose texts, unit vectors (n, d), have one
    above it, too. Of several that repeat each other, the first stays; a row stays as well if it is
    near only to rows that fell out.
    """
    first = np.zeros(len(contents), dtype=bool)
    first[np.unique(contents, return_index=True)[1]] = True
    if near is None:
        return first
    neighbours, texts = near
    rows, columns = np.nonzero(neighbours.similarity > alike)
    others = neighbours.indices[rows, columns]
    pairs = np.unique(np.sort(np.stack([rows, others], axis=1), axis=1), axis=0)
    for earlier, later in pairs[_alike(texts, pairs, alike)].tolist():  # by the earlier row
        if first[earlier]:
            first[later] = False
    return first


def _alike(unit: NDArray[np.float32], pairs: NDArray[np.int64], alike: float) -> NDArray[np.bool_]:
    """Return which pairs (p, 2) of rows have a cosine above `alike`."""
    found = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), _CHUNK):
        part = pairs[start : start + _CHUNK]
        cosine = np.einsum("pd,pd->p", unit[part[:, 0]], unit[part[:, 1]])
        found[start : start + _CHUNK] = cosine > alike
    return found
