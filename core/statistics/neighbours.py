"""Nearest neighbours by cosine, found exactly, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts.pool import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_BYTES = 1 << 25


def exact_neighbours(unit: NDArray[np.float32], k: int) -> Neighbours:
    """Return the k nearest other rows of each of unit vectors (n, d) float32, k < n.

    Equal similarities stand in the order of the rows. It takes n x n x d multiplications.
    """
    n = len(unit)
    k = max(0, min(k, n - 1))
    indices = np.empty((n, k), dtype=np.int64)
    similarity = np.empty((n, k), dtype=np.float32)
    step = max(1, _BLOCK_BYTES // max(1, 4 * n))
    for start in range(0, n if k else 0, step):
        rows = np.arange(start, min(start + step, n))
        block = unit[rows] @ unit.T
        block[np.arange(len(rows)), rows] = -np.inf
        indices[rows] = top_columns(block, k)
        similarity[rows] = np.take_along_axis(block, indices[rows], axis=1)
    return Neighbours(indices, similarity)


def top_columns(block: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the columns (r, k) of the k greatest of each row of (r, n), equal ones by column."""
    n = block.shape[1]
    if k >= n:
        return np.argsort(-block, axis=1, kind="stable")
    line = np.partition(block, n - k, axis=1)[:, n - k, None]
    chosen = block >= line
    # Of those on the line the first ones fill up; where there are more, which is rare.
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) > k):
        on_line = np.flatnonzero(block[row] == line[row])
        room = k - np.count_nonzero(block[row] > line[row])
        chosen[row, on_line[room:]] = False
    columns = np.nonzero(chosen)[1].reshape(len(block), k)
    order = np.argsort(-np.take_along_axis(block, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1).astype(np.int64)
