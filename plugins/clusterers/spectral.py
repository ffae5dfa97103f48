"""Spectral clustering on a nearest-neighbour graph, the paper's choice."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Clusterer
from ig4.core.counts import counted, verb
from ig4.core.errors import UsageError
from ig4.plugins.clusterers.eigenvectors import cut_vectors
from ig4.plugins.clusterers.labels import by_first_member, check_k
from ig4.plugins.clusterers.neighbourgraph import join_parts, neighbour_graph, rows_of_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Neighbours

_SAMPLE = 50_000  # rows that centres are found on

_log = logging.getLogger("ig4.plugins")


class SpectralOptions(contracts.Options):
    """Options of the clusterer `spectral`."""

    n_neighbors: int = Field(10, ge=1, description="Neighbours of each image in the graph.")
    lanczos_above: int = Field(
        5_000, ge=50, description="Above this number of images, Lanczos finds the eigenvectors."
    )
    max_images: int = Field(
        3_000_000, ge=1, description="Refuse larger sets, of which the graph would fill the memory."
    )


class Spectral(Clusterer):
    """Normalised spectral clustering (Ng, Jordan & Weiss 2001; von Luxburg 2007).

    Small sets go through scikit-learn's SpectralClustering, as the authors' did. It factors the
    graph's Laplacian, which fills up for image embeddings: 45 s and 0.7 GB at 8,000 images, and
    memory grows with their square. Larger sets take the same eigenvectors from Lanczos iterations
    on the sparse graph, and the same k-means after it. Their nearest neighbours are those by
    cosine, which ig4's index finds: the same as by distance where vectors have length 1.

    Where that graph falls into more parts than clusters are wanted, its eigenvectors are not
    determined. Then the largest parts are cut, and each small one joins the cluster nearest to it.
    """

    version = "2"
    needed_recall = 0.98
    Options = SpectralOptions
    options: SpectralOptions

    def needed_neighbours(self, n: int, k: int) -> int:
        """Return how many neighbours it works with; see Clusterer.needed_neighbours."""
        trivial = k in (1, n) or n > self.options.max_images
        if trivial or n <= self.options.lanczos_above:
            return 0
        return self._neighbours(n) - 1

    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - the contract's names
        """Return labels (n,) for X (n, d); see Clusterer.fit_predict.

        Raises:
            UsageError: k is above n, or n above `max_images`.
        """
        check_k(k, len(X))
        if len(X) > self.options.max_images:
            raise UsageError(
                f"spectral clustering of {counted(len(X), 'image')} would take too much memory: "
                "use --clusterer kmeans, or raise its option max_images "
                f"({self.options.max_images:,})"
            )
        if k in (1, len(X)):
            return np.arange(len(X), dtype=np.int64) % k
        needed = self.needed_neighbours(len(X), k)
        if needed:
            return self._cut(X, _nearest(X, needed), k, seed)
        with warnings.catch_warnings():
            # Distant groups of images make a graph of several components.
            warnings.filterwarnings("ignore", message="Graph is not fully connected")
            return by_first_member(_by_factoring(X, k, self._neighbours(len(X)), seed))

    def fit_neighbours(
        self,
        X: NDArray[np.float32],  # noqa: N803 - the contract's names
        neighbours: Neighbours,
        k: int,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return labels (n,) for X (n, d) by its neighbours; see Clusterer.fit_neighbours."""
        return self._cut(X, neighbours.indices, k, seed)

    def _cut(
        self,
        X: NDArray[np.float32],  # noqa: N803 - the contract's names
        neighbours: NDArray[np.int64],
        k: int,
        seed: int,
    ) -> NDArray[np.int64]:
        graph = neighbour_graph(neighbours)
        parts = len(graph.sizes)
        random = np.random.RandomState(seed)
        if parts <= k:
            return by_first_member(_k_means(cut_vectors(graph, k, random), k, random))
        rows = rows_of_clusters(graph, k)
        labels = np.full(len(X), -1, dtype=np.int64)
        labels[rows] = _k_means(cut_vectors(graph.take(rows), k, random), k, random)
        joined = len(X) - len(rows)
        _log.warning(
            "spectral: nothing joins the %s that the neighbours of %s make up, more than the %s "
            "asked for: %s of small parts %s to the nearest cluster (kmeans has no such parts, and "
            "a larger n_neighbors makes fewer)",
            counted(parts, "part"), counted(len(X), "image"), counted(k, "cluster"),
            counted(joined, "image"), verb(joined, "goes", "go"),
        )  # fmt: skip
        return by_first_member(join_parts(X, graph, labels))

    def _neighbours(self, n: int) -> int:
        """Return how many neighbours each image has: itself among them, and no more than all."""
        return min(self.options.n_neighbors, n)


def _by_factoring(
    X: NDArray[np.float32],  # noqa: N803 - as in scikit-learn
    k: int,
    neighbours: int,
    seed: int,
) -> NDArray[np.int64]:
    from sklearn.cluster import SpectralClustering

    model = SpectralClustering(
        n_clusters=k,
        affinity="nearest_neighbors",
        n_neighbors=neighbours,
        random_state=seed,
        assign_labels="kmeans",
        eigen_solver="arpack",
    )
    labels: NDArray[np.int64] = model.fit_predict(X)
    return labels


def _nearest(
    X: NDArray[np.float32],  # noqa: N803 - as in scikit-learn
    k: int,
) -> NDArray[np.int64]:
    """Return the k nearest others (n, k) of each row by distance; all are compared with all."""
    from sklearn.neighbors import NearestNeighbors

    found: NDArray[np.int64] = (
        NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False)
    )
    return found


def _k_means(
    points: NDArray[np.float64], k: int, random: np.random.RandomState
) -> NDArray[np.int64]:
    """Return the labels (n,) of k-means; of many points, started from the centres of a sample."""
    from sklearn.cluster import k_means

    if len(points) <= _SAMPLE:
        labels: NDArray[np.int64] = k_means(points, k, n_init=10, random_state=random)[1]
        return labels
    rows = np.sort(random.choice(len(points), _SAMPLE, replace=False))
    centres = k_means(points[rows], k, n_init=10, random_state=random)[0]
    refined: NDArray[np.int64] = k_means(points, k, init=centres, n_init=1)[1]
    return refined
