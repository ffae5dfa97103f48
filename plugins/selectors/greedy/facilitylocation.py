"""Facility location: rows such that every row of the pool is like one of them.

f(S) = sum over i of max over j in S of s(i, j), taken greedily (Nemhauser et al. 1978: at least
1 - 1/e of the best value there is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ig4.plugins.selectors.greedy.lazy import lazy_greedy
from ig4.plugins.selectors.greedy.picks import Picks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.plugins.selectors.greedy.graph import SimilarityGraph
    from ig4.plugins.selectors.greedy.similarity import Similarities


_AT_ONCE = 64  # candidates of all pairs
_SPARSE_AT_ONCE = 4_096  # candidates of a graph


class Coverage(Protocol):
    """How well each row of the pool is covered by those that are taken."""

    @property
    def n(self) -> int:
        """How many rows there are."""

    def first_gains(self) -> NDArray[np.float64]:
        """Return what each row alone would add, (n,)."""

    def gains(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what each of some rows would add now."""

    def take(self, row: int) -> None:
        """Take a row."""


class DenseCoverage:
    """Coverage by all pairs."""

    def __init__(self, similarities: Similarities) -> None:
        self.n = similarities.n
        self._similarities = similarities
        self._best = np.zeros(self.n, dtype=np.float32)
        self._known: dict[int, float] = {}  # gains since a row was last taken, so that equal rows
        # have equal ones whatever they were evaluated together with

    def first_gains(self) -> NDArray[np.float64]:
        """Return the sums of all columns, (n,)."""
        return self._similarities.sums()

    def gains(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sum of what each row would raise the similarities by, (r,)."""
        firsts = self._similarities.firsts(rows).tolist()
        new = [row for row in dict.fromkeys(firsts) if row not in self._known]
        for start in range(0, len(new), _AT_ONCE):
            self._evaluate(new[start : start + _AT_ONCE])
        return np.array([self._known[row] for row in firsts], dtype=np.float64)

    def take(self, row: int) -> None:
        """Raise the best similarities to those of a row."""
        own = self._similarities.rows(self._similarities.firsts(np.array([row])))[0]
        np.maximum(self._best, own, out=self._best)
        self._known.clear()

    def _evaluate(self, rows: list[int]) -> None:
        block = self._similarities.rows(np.array(rows, dtype=np.int64))
        np.subtract(block, self._best, out=block)
        np.maximum(block, 0, out=block)
        self._known |= zip(rows, block.sum(axis=1, dtype=np.float64).tolist(), strict=True)


class SparseCoverage:
    """Coverage by near pairs alone."""

    def __init__(self, graph: SimilarityGraph) -> None:
        self.n = graph.n
        self._graph = graph
        self._best = np.zeros(self.n, dtype=np.float32)

    def first_gains(self) -> NDArray[np.float64]:
        """Return the sums of all columns, (n,)."""
        return self.gains(np.arange(self.n))

    def gains(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sum of what each row would raise the similarities by, (r,)."""
        parts = [
            self._gains(rows[start : start + _SPARSE_AT_ONCE])
            for start in range(0, len(rows), _SPARSE_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def take(self, row: int) -> None:
        """Raise the best similarities to those of a row."""
        columns, values = self._graph.row(row)
        self._best[columns] = np.maximum(self._best[columns], values)

    def _gains(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        begins = self._graph.starts[rows]
        lengths = self._graph.starts[rows + 1] - begins
        places = np.cumsum(lengths) - lengths
        at = np.arange(int(lengths.sum())) + np.repeat(begins - places, lengths)
        raised = self._graph.values[at] - self._best[self._graph.columns[at]]
        np.maximum(raised, 0, out=raised)
        # In float64 before it is summed, so that a row's sum does not depend on those beside it.
        return np.add.reduceat(raised.astype(np.float64), places)


def facility_location(
    coverage: Coverage, size: int, quality: NDArray[np.float64] | None = None, alpha: float = 0.0
) -> Picks:
    """Take `size` rows greedily; ties go to the lower row.

    With `quality` (n,) from 0 to 1, a row is worth (1 - alpha) x gain / (greatest first gain)
    + alpha x quality (QDIT, Bukharin & Zhao 2023); the gains returned are then these values.
    """
    first = coverage.first_gains()
    worth = _Worth(quality, alpha, float(first.max(initial=0)))
    return lazy_greedy(
        worth.of(np.arange(coverage.n), first),
        size,
        lambda rows: worth.of(rows, coverage.gains(rows)),
        coverage.take,
    )


def stochastic_facility_location(
    coverage: Coverage,
    size: int,
    rng: np.random.Generator,
    epsilon: float,
    quality: NDArray[np.float64] | None = None,
    alpha: float = 0.0,
) -> Picks:
    """Take `size` rows, each the best of n / size x ln(1 / epsilon) drawn ones.

    Mirzasoleiman et al. 2015: 1 - 1/e - epsilon of the best value, in expectation. Ties go to the
    lower row.
    """
    n = coverage.n
    top = float(coverage.first_gains().max(initial=0)) if quality is not None else 0.0
    worth = _Worth(quality, alpha, top)
    many = max(1, int(np.ceil(n / max(1, size) * np.log(1 / epsilon))))
    left = np.ones(n, dtype=bool)
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        free = np.flatnonzero(left)
        drawn = np.sort(rng.choice(free, min(many, len(free)), replace=False))
        values = worth.of(drawn, coverage.gains(drawn))
        best = int(np.argmax(values))
        rows[step], gains[step] = drawn[best], values[best]
        left[drawn[best]] = False
        coverage.take(int(drawn[best]))
    return Picks(rows, gains)


class _Worth:
    """What rows are worth: their gain, or gain and quality together."""

    def __init__(self, quality: NDArray[np.float64] | None, alpha: float, top: float) -> None:
        self._quality = quality
        self._alpha = alpha
        self._top = top if top > 0 else 1.0

    def of(self, rows: NDArray[np.int64], gains: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._quality is None:
            return gains
        return (1 - self._alpha) * (gains / self._top) + self._alpha * self._quality[rows]
