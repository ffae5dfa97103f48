"""D2 pruning: rows gather the scores of their neighbours, and take from them when chosen."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_SCORE = 1e-7  # of a neighbour, so that a score of 0 still tells that somebody is there


def gathered_scores(
    scores: NDArray[np.float64],
    indices: NDArray[np.int64],
    distances: NDArray[np.float64],
    gamma: float,
) -> NDArray[np.float64]:
    """Return u (n,): each score plus those of the k neighbours, exp(-gamma x distance) of each.

    `indices` and `distances` (n, k) are the neighbours of each row; scores are 0 or more.
    """
    sent = np.exp(-gamma * distances) * np.maximum(scores, _LEAST_SCORE)[indices]
    gathered: NDArray[np.float64] = scores + sent.sum(axis=1)
    return gathered


def message_passing(
    scores: NDArray[np.float64],
    indices: NDArray[np.int64],
    distances: NDArray[np.float64],
    size: int,
    gamma_forward: float,
    gamma_reverse: float,
) -> Picks:
    """Take `size` rows, each the one with the greatest u, which then lowers its neighbours' u.

    u_j -= exp(-gamma_reverse x distance) x u_i for each neighbour j of the chosen i (Maharana et
    al. 2024, sections 3.2 and 3.3). The gains are u when taken; ties go to the lower row.
    """
    worth = gathered_scores(scores, indices, distances, gamma_forward)
    heap = list(zip((-worth).tolist(), range(len(worth)), strict=True))
    heapq.heapify(heap)
    taken = np.zeros(len(worth), dtype=bool)
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        while True:
            value, row = heapq.heappop(heap)
            # An entry counts while it says what the row is worth now; each change made a new one.
            if not taken[row] and -value == worth[row]:
                break
        rows[step], gains[step] = row, worth[row]
        taken[row] = True
        for other, apart in zip(indices[row].tolist(), distances[row].tolist(), strict=True):
            if not taken[other]:
                worth[other] -= np.exp(-gamma_reverse * apart) * worth[row]
                heapq.heappush(heap, (-float(worth[other]), other))
    return Picks(rows, gains)
