"""Sums of the rows of groups, read in blocks: rows may lie in a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 16_384


def group_sums(
    rows: NDArray[np.float32],
    groups: NDArray[np.integer[Any]],
    count: int,
    prepare: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
) -> NDArray[np.float64]:
    """Return the sum (count, d) float64 of the rows (n, d) of each group; zeros where it has none.

    `groups` (n,) are numbers below `count`. `prepare` is done to each block of rows (b, d) first.
    """
    sums = np.zeros((count, rows.shape[1]), dtype=np.float64)
    for start in range(0, len(rows), _BLOCK):
        block = groups[start : start + _BLOCK]
        order = np.argsort(block, kind="stable")
        own, first = np.unique(block[order], return_index=True)
        read = np.asarray(rows[start : start + _BLOCK])
        ordered = (read if prepare is None else prepare(read))[order]
        sums[own] += np.add.reduceat(ordered, first, axis=0, dtype=np.float64)
    return sums
