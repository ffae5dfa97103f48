"""The graph of nearest neighbours that spectral clustering cuts, and the parts it falls into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts.pool import normalised
from ig4.core.statistics.groupsums import group_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NeighbourGraph:
    """A symmetric graph of n vectors: an edge weighs 1 where both name each other, else 1/2.

    `adjacency` is a scipy CSR matrix (n, n) float64; no vector has an edge to itself, as scipy's
    Laplacian takes none into account. `part_of` (n,) int32 numbers the connected parts.
    """

    adjacency: Any
    part_of: NDArray[np.int32]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many vectors each part has, (p,) int64."""
        return np.bincount(self.part_of)

    def take(self, rows: NDArray[np.int64]) -> NeighbourGraph:
        """Return the graph of some vectors, which are whole parts."""
        return _with_parts(self.adjacency[rows][:, rows])


def neighbour_graph(indices: NDArray[np.int64]) -> NeighbourGraph:
    """Return the graph of the neighbours (n, k) int64 of n vectors, themselves not among them."""
    from scipy.sparse import csr_matrix

    n, k = indices.shape
    columns = np.sort(indices.astype(np.int32), axis=1)
    starts = np.arange(0, columns.size + 1, k, dtype=np.int32)
    named = csr_matrix((np.full(columns.size, 0.5), columns.ravel(), starts), (n, n))
    return _with_parts((named + named.T).tocsr())


def _with_parts(adjacency: Any) -> NeighbourGraph:
    from scipy.sparse.csgraph import connected_components

    _, part_of = connected_components(adjacency, directed=False)
    return NeighbourGraph(adjacency, part_of)


def rows_of_clusters(graph: NeighbourGraph, k: int) -> NDArray[np.int64]:
    """Return the rows (m,) int64, ascending, of the parts that can be, or hold, one of k clusters.

    They are the k largest, of equal ones the first, without those of less than a tenth of a
    cluster's mean size; with them, where the others hold less than half of the vectors.
    """
    sizes = graph.sizes
    largest = np.argsort(-sizes, kind="stable")[:k]
    able = largest[sizes[largest] * (10 * k) >= len(graph.part_of)]
    kept = np.zeros(len(sizes), dtype=bool)
    kept[able if 2 * sizes[able].sum() >= len(graph.part_of) else largest] = True
    return np.flatnonzero(kept[graph.part_of])


def join_parts(
    vectors: NDArray[np.float32], graph: NeighbourGraph, labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return labels (n,) int64 in which each part without one (-1) has that of the nearest cluster.

    Nearest by the cosine of the mean directions of the vectors (n, d).
    """
    clusters = int(labels.max()) + 1
    means = _mean_directions(vectors, np.where(labels < 0, clusters, labels), clusters + 1)
    parts = _mean_directions(vectors, graph.part_of, len(graph.sizes))
    nearest = np.argmax(parts @ means[:clusters].T, axis=1)
    return np.where(labels < 0, nearest[graph.part_of], labels)


def _mean_directions(
    vectors: NDArray[np.float32], group: NDArray[np.integer[Any]], count: int
) -> NDArray[np.float32]:
    """Return the mean direction (count, d) of the vectors of each group."""
    sums = group_sums(vectors, group, count, normalised)
    return normalised(sums.astype(np.float32))
