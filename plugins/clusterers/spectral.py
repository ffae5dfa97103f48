"""Spectral clustering on a nearest-neighbour graph, the paper's choice."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Clusterer
from ig4.core.errors import UsageError
from ig4.plugins.clusterers.labels import by_first_member

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SpectralOptions(contracts.Options):
    """Options of the clusterer `spectral`."""

    n_neighbors: int = Field(10, ge=1, description="Neighbours of each image in the graph.")
    max_images: int = Field(
        100_000, ge=1, description="Refuse larger sets, on which it would take hours."
    )


class Spectral(Clusterer):
    """scikit-learn's SpectralClustering with a sparse nearest-neighbour affinity."""

    version = "1"
    Options = SpectralOptions
    options: SpectralOptions

    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - the contract's names
        """Return labels (n,) for X (n, d); see Clusterer.fit_predict.

        Raises:
            UsageError: more images than `max_images`.
        """
        from sklearn.cluster import SpectralClustering

        if len(X) > self.options.max_images:
            raise UsageError(
                f"spectral clustering of {len(X):,} images would take hours: use --clusterer "
                f"kmeans, or raise its option max_images ({self.options.max_images:,})"
            )
        if k == 1 or len(X) <= k:
            return np.arange(len(X), dtype=np.int64) % k
        model = SpectralClustering(
            n_clusters=k,
            affinity="nearest_neighbors",
            n_neighbors=min(self.options.n_neighbors, len(X)),
            random_state=seed,
            assign_labels="kmeans",
            eigen_solver="arpack",
        )
        with warnings.catch_warnings():
            # A graph in several pieces is what far-apart groups of images make.
            warnings.filterwarnings("ignore", message="Graph is not fully connected")
            labels = model.fit_predict(X)
        return by_first_member(labels)
