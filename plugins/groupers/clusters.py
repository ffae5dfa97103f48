"""Groups by clusters: those that the user made, or of the vectors of a space."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ig4.core.contracts import Grouper, Groups, Needs, Options, Pool
from ig4.plugins.groupers.joining import by_size
from ig4.plugins.groupers.kmeans import kmeans


class ClustersOptions(Options):
    """Options of the clusters grouper."""

    space: str | None = Field(
        None,
        min_length=1,
        description="The space whose vectors are clustered, as text, or clip=0.7,text=0.3; "
        "default: the clusters of `ig4 cluster` or `ig4 import-clusters`.",
    )
    k: int = Field(20, ge=2, description="How many clusters; only with a space.")
    seed: int = Field(0, ge=0, description="Where the random start comes from; only with a space.")


class ClustersGrouper(Grouper):
    """Clusters are groups: `cluster 3`. What has no cluster has no group."""

    version = "1"
    Options = ClustersOptions
    options: ClustersOptions

    def needs(self) -> Needs:
        """See `Grouper.needs`."""
        space = self.options.space
        return Needs(clusters=True) if space is None else Needs(spaces=(space,))

    def group(self, pool: Pool) -> Groups:
        """See `Grouper.group`."""
        space = self.options.space
        if space is None:
            labels = pool.clusters
        else:
            labels = kmeans(pool.unit_vectors(space), self.options.k, self.options.seed)
        numbers, codes = np.unique(labels, return_inverse=True)
        names = [f"cluster {number}" for number in numbers.tolist() if number >= 0]
        return by_size(names, np.asarray(codes, dtype=np.int64) - int((numbers < 0).any()))
