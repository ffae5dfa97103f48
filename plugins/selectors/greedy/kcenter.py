"""k-center: each new row is the one farthest from all that are taken (Gonzalez 1985)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks, squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray


def k_center(
    points: NDArray[np.float32],
    size: int,
    first: int,
    late: NDArray[np.bool_] | None = None,
) -> Picks:
    """Take `size` of points (n, d), beginning with row `first`; ties go to the lower row.

    The greatest distance of a row from its nearest centre is at most twice the least possible.
    `late` (n,) marks rows that are taken only when no others are left. The gains are the distances
    (Euclidean) at which the rows were taken; that of the first is infinite.
    """
    apart = np.full(len(points), np.inf, dtype=np.float32)
    taken = np.zeros(len(points), dtype=bool)
    waits = np.zeros(len(points), dtype=bool) if late is None else late.copy()
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    row = first
    for step in range(size):
        if step:
            if waits.any() and (taken | waits).all():
                waits[:] = False
            row = int(np.argmax(np.where(taken | waits, -1, apart)))
        rows[step], gains[step] = row, np.sqrt(apart[row])
        taken[row] = True
        np.minimum(apart, squared_distances(points, points[row]), out=apart)
    return Picks(rows, gains)


def farthest_from_the_middle(points: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Mark the `share` of points (n, d) that lie farthest from their mean, rounded down.

    Of equally far ones the higher rows are marked.
    """
    marked = np.zeros(len(points), dtype=bool)
    far = squared_distances(points, points.mean(axis=0, dtype=np.float64).astype(points.dtype))
    count = int(share * len(points))
    marked[np.argsort(far, kind="stable")[len(points) - count :]] = True
    return marked


def nearest_to_the_middle(points: NDArray[np.float32]) -> int:
    """Return the row of points (n, d) that is nearest to their mean."""
    middle = points.mean(axis=0, dtype=np.float64).astype(points.dtype)
    return int(np.argmin(squared_distances(points, middle)))
