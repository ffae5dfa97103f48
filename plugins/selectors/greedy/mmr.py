"""Maximal marginal relevance: good rows that are unlike those already taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks, dots

if TYPE_CHECKING:
    from numpy.typing import NDArray


def maximal_marginal_relevance(
    unit: NDArray[np.float32], quality: NDArray[np.float64], size: int, relevance: float
) -> Picks:
    """Take `size` of unit vectors (n, d), each by relevance x quality - (1 - relevance) x likeness.

    `quality` (n,) is from 0 to 1; likeness is the greatest cosine to a row that is taken, 0 while
    none is (Carbonell & Goldstein 1998). Ties go to the lower row.
    """
    alike = np.zeros(len(unit), dtype=np.float32)
    taken = np.zeros(len(unit), dtype=bool)
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        values = relevance * quality - (1 - relevance) * alike.astype(np.float64)
        values[taken] = -np.inf
        row = int(np.argmax(values))
        rows[step], gains[step] = row, values[row]
        taken[row] = True
        cosines = dots(unit, unit[row])
        alike = cosines if step == 0 else np.maximum(alike, cosines)
    return Picks(rows, gains)
