"""Finds or makes the clusters that the arms of an ablation select by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.errors import UsageError
from ig4.storage import clusters

if TYPE_CHECKING:
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.ablating.setup import AblationSetup


@dataclass(frozen=True, slots=True)
class ArmClusterings:
    """The clusterings of the reference and of the arms that ask for one of their own."""

    setup: AblationSetup

    def of_reference(self) -> int:
        """Return the clustering that the reference uses; makes it if there is none.

        Raises:
            UsageError: there is none, and the configuration says to make none.
        """
        clustering = self.setup.clustering()
        if clustering is not None:
            return clustering.id
        config = self.setup.config
        if self.setup.clusterer is None:
            raise UsageError(
                f"selector {config.select.selector} needs clusters, and there are none: run "
                "`ig4 cluster`, or choose another selector"
            )
        return self._cluster(self.setup.clusterer, config.cluster.k, aside=False)

    def of_arm(self, arm: Arm, reference: int | None) -> int:
        """Return the clustering of an arm that names its own clusterer or number of clusters.

        What the arm leaves open is as in the clustering of the reference, so that the two differ
        in nothing else.
        """
        setup = self.setup
        number = -1 if reference is None else reference
        with setup.session.store.reading() as connection:
            base = clusters.find(connection, setup.dataset.id, clustering_id=number)
            if arm.clusterer is not None and arm.k is None:
                own = clusters.find(connection, setup.dataset.id, name=arm.clusterer)
                if own is not None and own.imported:
                    return own.id
        name = arm.clusterer or (setup.config.cluster.clusterer if base is None else base.name)
        k = setup.config.cluster.k if base is None or base.k is None else base.k
        return self._cluster(name, arm.k or k, aside=True)

    def _cluster(self, name: str, k: int, *, aside: bool) -> int:
        setup = self.setup
        request = ClusterRequest(
            setup.config.choice("clusterer", name), setup.embedder, k, setup.config.run.seed, aside
        )
        return cluster(setup.session, setup.dataset, request).id
