"""Finds clusters of any number, and leaves what belongs to none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ig4.core.contracts import Clusterer, Options


class HdbscanOptions(Options):
    """How small a cluster may be."""

    min_cluster_size: int = Field(5, ge=2, description="The fewest vectors of a cluster.")


class Hdbscan(Clusterer):
    """scikit-learn's HDBSCAN (Campello et al. 2013): it finds k by itself, and leaves noise."""

    version = "1"
    uses_k = False
    leaves_noise = True
    Options = HdbscanOptions
    options: HdbscanOptions

    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - the contract's names
        """Return labels from 0 on, -1 for noise."""
        from sklearn.cluster import HDBSCAN

        if len(X) <= self.options.min_cluster_size:
            return np.zeros(len(X), dtype=np.int64)
        model = HDBSCAN(min_cluster_size=self.options.min_cluster_size, copy=True)
        return model.fit_predict(X).astype(np.int64)
