"""Graph cut: rows that are like the pool and unlike each other.

f(S) = sum of s(i, j) over all i and j in S, less lambda x the sum over i and j in S. Submodular for
s >= 0, and monotone up to lambda = 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ig4.plugins.selectors.greedy.graph import SimilarityGraph
    from ig4.plugins.selectors.greedy.similarity import Similarities


def dense_graph_cut(similarities: Similarities, size: int, redundancy: float) -> Picks:
    """Take `size` rows greedily by all pairs; `redundancy` is lambda. Ties go to the lower row."""

    def add(row: int, near: NDArray[np.float64]) -> None:
        near += similarities.rows(similarities.firsts(np.array([row])))[0]

    return _greedy(similarities.sums(), similarities.diagonal(), size, redundancy, add)


def sparse_graph_cut(graph: SimilarityGraph, size: int, redundancy: float) -> Picks:
    """Take `size` rows greedily by near pairs; `redundancy` is lambda. Ties go to the lower row."""
    sums = [graph.row(row)[1].sum(dtype=np.float64) for row in range(graph.n)]

    def add(row: int, near: NDArray[np.float64]) -> None:
        columns, values = graph.row(row)
        near[columns] += values

    return _greedy(np.array(sums), graph.diagonal(), size, redundancy, add)


def _greedy(
    sums: NDArray[np.float64],
    own: NDArray[np.float64],
    size: int,
    redundancy: float,
    add: Callable[[int, NDArray[np.float64]], None],
) -> Picks:
    near = np.zeros(len(sums))  # the sum of each row's similarities to those that are taken
    taken = np.zeros(len(sums), dtype=bool)
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        values = sums - redundancy * (2 * near + own)
        values[taken] = -np.inf
        row = int(np.argmax(values))
        rows[step], gains[step] = row, values[row]
        taken[row] = True
        add(row, near)
    return Picks(rows, gains)
