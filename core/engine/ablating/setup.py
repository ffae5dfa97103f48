"""What all arms of an ablation share: session, data set, and the configured selection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ig4.core.engine.plan import run_weights
from ig4.core.engine.recordedsettings import with_recorded_options
from ig4.core.engine.requests import embedder_choice, selection_request
from ig4.core.engine.selecting.candidates import NO_CLUSTERS, SelectionRequest
from ig4.core.records import Choice
from ig4.storage import clusters

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.storage.clusters import ClusteringRow
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class AblationSetup:
    """A session, a data set and a configuration.

    `grouping` is the configuration with the options that the data set's clusters, or the scores
    of the embedder's name, were made with.
    """

    session: Session
    dataset: DatasetRow
    config: Config
    grouping: Config

    @property
    def request(self) -> SelectionRequest:
        """The configured selection, of all scorers that have scores unless some are named."""
        request = selection_request(self.config)
        if self.scorers is not None:
            request = replace(request, scorers=self.scorers, weights=run_weights(self.config))
        if self.config.ablate.size is not None:
            request = replace(request, size=self.config.ablate.size, fraction=None)
        return request

    @property
    def embedder(self) -> Choice:
        """The embedder that clusters are made from."""
        return embedder_choice(self.grouping)

    @property
    def clusterer(self) -> str | None:
        """The configured clusterer, None for no clusters."""
        name = self.config.cluster.clusterer
        return None if name == NO_CLUSTERS else name

    @property
    def scorers(self) -> tuple[str, ...] | None:
        """The scorers that the configuration names, None if it names none."""
        run = self.config.run
        return run.scorers if "scorers" in run.model_fields_set else None

    def clustering(self) -> ClusteringRow | None:
        """Return the stored clustering of the configured clusterer, or else the newest one.

        None also if the configured clusterer is none.
        """
        name = self.config.cluster.clusterer
        if name == NO_CLUSTERS:
            return None
        with self.session.store.reading() as connection:
            row = clusters.find(connection, self.dataset.id, name=name)
            return row or clusters.find(connection, self.dataset.id)


def make_setup(session: Session, dataset: DatasetRow, config: Config) -> AblationSetup:
    """Return what all arms of an ablation share."""
    grouping = with_recorded_options(
        session,
        dataset,
        config,
        embedder=config.run.embedder,
        clusterer=config.cluster.clusterer,
    )
    return AblationSetup(session, dataset, config, grouping)
