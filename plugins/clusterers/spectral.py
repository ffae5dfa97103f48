"""Spectral clustering on a nearest-neighbour graph, the paper's choice."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Clusterer
from ig4.core.counts import counted
from ig4.core.errors import UsageError
from ig4.plugins.clusterers.labels import by_first_member, check_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KRYLOV = 40  # vectors that Lanczos keeps; scipy's default of 20 converges slowly here


class SpectralOptions(contracts.Options):
    """Options of the clusterer `spectral`."""

    n_neighbors: int = Field(10, ge=1, description="Neighbours of each image in the graph.")
    lanczos_above: int = Field(
        5_000, ge=50, description="Above this number of images, Lanczos finds the eigenvectors."
    )
    max_images: int = Field(
        300_000, ge=1, description="Refuse larger sets: time grows with the square of the number."
    )


class Spectral(Clusterer):
    """Normalised spectral clustering (Ng, Jordan & Weiss 2001; von Luxburg 2007).

    Small sets go through scikit-learn's SpectralClustering, as the authors' did. It factors the
    graph's Laplacian, which fills up for image embeddings: 45 s and 0.7 GB at 8,000 images, and
    memory grows with their square. Larger sets take the same eigenvectors from Lanczos
    iterations on the sparse graph (under 1 s at 20,000) and the same k-means after it.
    """

    version = "1"
    Options = SpectralOptions
    options: SpectralOptions

    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - the contract's names
        """Return labels (n,) for X (n, d); see Clusterer.fit_predict.

        Raises:
            UsageError: k is above n, or n above `max_images`.
        """
        check_k(k, len(X))
        if len(X) > self.options.max_images:
            raise UsageError(
                f"spectral clustering of {counted(len(X), 'image')} would take hours: use "
                f"--clusterer kmeans, or raise its option max_images ({self.options.max_images:,})"
            )
        if k in (1, len(X)):
            return np.arange(len(X), dtype=np.int64) % k
        # An image counts among its own neighbours, and has no more than there are images.
        neighbours = min(self.options.n_neighbors, len(X))
        with warnings.catch_warnings():
            # Distant groups of images make a graph of several components.
            warnings.filterwarnings("ignore", message="Graph is not fully connected")
            if len(X) > self.options.lanczos_above:
                return by_first_member(_by_lanczos(X, k, neighbours, seed))
            return by_first_member(_by_factoring(X, k, neighbours, seed))


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


def _by_lanczos(
    X: NDArray[np.float32],  # noqa: N803 - as in scikit-learn
    k: int,
    neighbours: int,
    seed: int,
) -> NDArray[np.int64]:
    from scipy.sparse.csgraph import laplacian
    from scipy.sparse.linalg import eigsh
    from sklearn.cluster import k_means
    from sklearn.neighbors import kneighbors_graph

    graph = kneighbors_graph(X, neighbours, include_self=True)
    normal, root_degree = laplacian(0.5 * (graph + graph.T), normed=True, return_diag=True)
    start = np.random.RandomState(seed).uniform(-1, 1, len(X))
    kept = min(len(X), max(_KRYLOV, 2 * k + 1))
    # The smallest of the Laplacian are the largest of its negative, which need no factoring.
    _, vectors = eigsh(-normal, k, which="LA", v0=start, ncv=kept)
    scaled = vectors / root_degree[:, None]
    # The signs are arbitrary; k-means must start from the same points on every machine.
    scaled *= np.sign(scaled[np.abs(scaled).argmax(axis=0), np.arange(k)])
    labels: NDArray[np.int64] = k_means(scaled, k, n_init=10, random_state=seed)[1]
    return labels
