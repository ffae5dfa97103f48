"""Groups of samples by the name of a grouper, as a pool's settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.engine.pooling.groups import (
    DatasetGroups,
    GroupSources,
    groups_digest,
    groups_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.session import Session
    from ig4.core.records import JSON
    from ig4.storage.datasets import DatasetRow


def pool_groups(
    session: Session,
    dataset: DatasetRow,
    settings: PoolSettings,
    name: str,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> DatasetGroups:
    """Return the groups of samples of a data set, given as ids and contents (n,).

    Raises:
        UsageError: there is no such grouper, or it needs what is missing.
    """
    grouper = settings.grouper(name)
    return groups_of(session, dataset, grouper, sample_ids, contents, _sources(settings))


def pool_groups_digest(
    session: Session,
    dataset: DatasetRow,
    settings: PoolSettings,
    name: str,
    sample_ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> str:
    """Return the digest that `pool_groups` gives with the groups, without making them.

    Raises:
        UsageError: as `pool_groups`.
    """
    grouper = settings.grouper(name)
    return groups_digest(session, dataset, grouper, sample_ids, contents, _sources(settings))


def grouping_record(settings: PoolSettings, name: str, found: DatasetGroups) -> dict[str, JSON]:
    """Return what tells groups from others of the same name: grouper, options, and a digest."""
    return {**settings.grouper(name).to_dict(), "digest": found.digest}


def _sources(settings: PoolSettings) -> GroupSources:
    return GroupSources(settings.groupers, settings.embedders, settings.clustering)
