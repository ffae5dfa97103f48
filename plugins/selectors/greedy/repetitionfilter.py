"""DEITA's filter: walk the rows from the best on, and leave out what is like one that was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 512  # candidates that are compared with the kept ones at a time
_KEPT_BLOCK = 1 << 14
_DECIMALS = 6  # what float32 tells of a cosine; two equal rows have 1, never a little more
_RELAXED_BY = 0.02  # the threshold rises by this much when too few rows pass it


@dataclass(frozen=True, slots=True)
class FilterResult:
    """Kept rows (size,) in order; for each row of the pool (n,) what decided.

    `similarity` is the greatest cosine to a row that was kept when it was last looked at (-inf:
    there was none, or it was not reached), `nearest` that row (-1), and `threshold` the threshold
    then (nan: it was not reached).
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float64]
    nearest: NDArray[np.int64]
    threshold: NDArray[np.float64]


def repetition_filter(
    unit: NDArray[np.float32], order: NDArray[np.int64], size: int, threshold: float
) -> FilterResult:
    """Keep `size` of unit vectors (n, d), in the `order` (n,) of rows.

    A row is kept if its cosine to each kept one is at most `threshold` (Liu et al. 2024, section
    2.4). When the walk ends with too few, the rows left out are walked again with the threshold
    raised by 0.02, or to the least similarity among them if that is more, until there are enough.
    """
    walk = _Walk(unit, size)
    left = walk.through(order, threshold)
    while walk.count < size:
        threshold = max(threshold + _RELAXED_BY, walk.least_similarity(left))
        left = walk.through(left, threshold)
    return FilterResult(walk.rows, walk.similarity, walk.nearest, walk.threshold)


class _Walk:
    """The rows that are kept so far, and what was found about each row."""

    def __init__(self, unit: NDArray[np.float32], size: int) -> None:
        self.rows = np.empty(size, dtype=np.int64)
        self.count = 0
        self.similarity = np.full(len(unit), -np.inf)
        self.nearest = np.full(len(unit), -1, dtype=np.int64)
        self.threshold = np.full(len(unit), np.nan)
        self._unit = unit
        self._compared = np.zeros(len(unit), dtype=np.int64)  # with how many of the kept ones

    def through(self, order: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
        """Walk some rows; return those that were left out."""
        left = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(order), _BLOCK):
            if self.count == len(self.rows):
                break
            left.append(self._block(order[start : start + _BLOCK], threshold))
        return np.concatenate(left)

    def least_similarity(self, rows: NDArray[np.int64]) -> float:
        """Return the least of what rows have for their nearest one of those kept by now."""
        for start in range(0, len(rows), _BLOCK):
            self._compare(rows[start : start + _BLOCK])
        return float(self.similarity[rows].min())

    def _block(self, rows: NDArray[np.int64], threshold: float) -> NDArray[np.int64]:
        self._compare(rows)
        among = self._unit[rows] @ self._unit[rows].T
        left = []
        for place, row in enumerate(rows.tolist()):
            if self.count == len(self.rows):
                break
            self.threshold[row] = threshold
            if self.similarity[row] > threshold:
                left.append(row)
                continue
            self.rows[self.count] = row
            self.count += 1
            later = rows[place + 1 :]
            self._note(later, among[place, place + 1 :], np.full(len(later), row))
            self._compared[later] = self.count
        return np.array(left, dtype=np.int64)

    def _compare(self, rows: NDArray[np.int64]) -> None:
        """Compare rows with the kept ones that some of them have not been compared with."""
        for start in range(int(self._compared[rows].min()), self.count, _KEPT_BLOCK):
            kept = self.rows[start : min(start + _KEPT_BLOCK, self.count)]
            block = self._unit[rows] @ self._unit[kept].T
            at = np.argmax(block, axis=1)
            self._note(rows, block[np.arange(len(rows)), at], kept[at])
        self._compared[rows] = self.count

    def _note(
        self, rows: NDArray[np.int64], cosines: NDArray[np.float32], kept: NDArray[np.int64]
    ) -> None:
        rounded = np.round(cosines.astype(np.float64), _DECIMALS)
        nearer = rounded > self.similarity[rows]
        self.nearest[rows] = np.where(nearer, kept, self.nearest[rows])
        self.similarity[rows] = np.maximum(rounded, self.similarity[rows])
