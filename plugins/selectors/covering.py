"""Fills a quota with rows that cover their group: facility location on a part of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.facilitylocation import DenseCoverage, facility_location
from ig4.plugins.selectors.greedy.similarity import Similarities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


def covering_rows(pool: Pool, space: str, rows: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return `size` of `rows` (ascending) such that each of them is like one that is taken.

    Similarity is the cosine in a space, below 0 counted as 0; rows come in the order taken.
    """
    if size == 0 or len(rows) == 0:
        return np.empty(0, dtype=np.int64)
    coverage = DenseCoverage(Similarities(pool.vectors(space)[rows], "cosine"))
    taken = facility_location(coverage, size).rows
    return rows[taken]
