"""Greedy choice that evaluates few candidates again: gains only shrink as rows are taken."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = Callable[["NDArray[np.int64]"], "NDArray[np.float64]"]

_WIDEST = 64  # candidates that are evaluated again at a time


def lazy_greedy(
    values: NDArray[np.float64], size: int, value_of: Values, take: Callable[[int], None]
) -> Picks:
    """Take `size` of n rows, each time the one that is worth most; ties go to the lower row.

    `values` (n,) is what each is worth at first, `value_of(rows)` what some are worth now, and
    `take(row)` takes one. What a row is worth must never grow (submodularity): then it is the best
    as soon as its value is of now and above what the others were worth when last looked at. The
    rows are those of the plain greedy algorithm (Minoux 1978).
    """
    heap = list(zip((-values).tolist(), range(len(values)), strict=True))
    heapq.heapify(heap)
    looked = np.zeros(len(values), dtype=np.int64)
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        width = 2
        while looked[heap[0][1]] < step:
            stale: list[int] = []
            while heap and len(stale) < width and looked[heap[0][1]] < step:
                stale.append(heapq.heappop(heap)[1])
            again = np.array(stale, dtype=np.int64)
            looked[again] = step
            for value, row in zip((-value_of(again)).tolist(), stale, strict=True):
                heapq.heappush(heap, (value, row))
            width = min(2 * width, _WIDEST)
        value, row = heapq.heappop(heap)
        rows[step], gains[step] = row, -value
        take(row)
    return Picks(rows, gains)
