"""Finds or makes the clusters that the arms of an ablation select by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.requests import index_choice
from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.errors import UsageError
from ig4.storage import clusters

if TYPE_CHECKING:
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.ablating.setup import AblationSetup


@dataclass(frozen=True, slots=True)
class ArmClusterings:
    """The clusterings of the reference and of the arms that ask for one of their own."""

    setup: AblationSetup

    def of_reference(self) -> int | str:
        """Return the clustering that the reference uses; makes it if there is none.

        NO_CLUSTERS if the configured clusterer is none.
        """
        if self.setup.clusterer is None:
            return NO_CLUSTERS
        clustering = self.setup.clustering()
        if clustering is not None:
            return clustering.id
        return self._cluster(self.setup.clusterer, self.setup.config.cluster.k, aside=False)

    def of_arm(self, arm: Arm, reference: int | str | None) -> int | str:
        """Return the clustering of an arm that names its own clusterer or number of clusters.

        What the arm leaves open is as in the clustering of the reference, so that the two differ
        in nothing else.

        Raises:
            UsageError: it asks for a number of clusters, and nobody names a clusterer.
        """
        setup = self.setup
        if arm.clusterer == NO_CLUSTERS:
            return NO_CLUSTERS
        if arm.clusterer is None and reference == NO_CLUSTERS:
            raise UsageError(
                f"arm {arm.name}: there is no clusterer to form {arm.k} clusters, as the "
                "configured one is none; name it with --clusterer, or in [cluster] of ig4.toml"
            )
        number = reference if isinstance(reference, int) else -1
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
        clusterer = setup.grouping.choice("clusterer", name)
        request = ClusterRequest(
            clusterer,
            setup.embedder,
            k,
            setup.config.run.seed,
            aside,
            index=index_choice(setup.config),
        )
        return cluster(setup.session, setup.dataset, request).id
