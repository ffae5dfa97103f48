"""Scores how crowded the neighbourhood of a sample is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ig4.core.contracts import Needs, Options, Pool, PoolScorer


class CrowdOptions(Options):
    """Where neighbours are looked for."""

    space: str = Field("clip", description="The space of the vectors.")
    k: int = Field(5, ge=1, description="How many neighbours count.")


class Crowd(PoolScorer):
    """The mean cosine of the k nearest neighbours, -1 to 1."""

    version = "1"
    Options = CrowdOptions
    options: CrowdOptions

    def needs(self) -> Needs:
        """Only what is declared here is built, and can be read."""
        return Needs(neighbours=((self.options.space, self.options.k),))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Rate all samples; one alone has no neighbours, and no value."""
        if pool.n == 1:
            return np.array([np.nan])
        near = pool.neighbours(self.options.space, self.options.k)
        return near.similarity.mean(axis=1, dtype=np.float64)

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring cosines to 0-100."""
        return 50 * (1 + values)
