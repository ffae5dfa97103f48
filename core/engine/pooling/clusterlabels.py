"""The clusters that a pool shows: those that the user chose, by default those used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.errors import UsageError
from ig4.storage import clusters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


def cluster_labels(
    session: Session,
    dataset: DatasetRow,
    clustering: str | int | None,
    sample_ids: NDArray[np.int64],
    *,
    otherwise: str = "",
) -> NDArray[np.int64]:
    """Return the cluster (n,) of samples of a data set (n,), -1 where a sample has none.

    `clustering` is a name or a number; `otherwise` is what can be done without any, for the error.

    Raises:
        UsageError: there are none; names the commands that make them.
    """
    name = clustering if isinstance(clustering, str) else None
    number = clustering if isinstance(clustering, int) else None
    with session.store.reading() as connection:
        found = clusters.find(connection, dataset.id, name=name, clustering_id=number)
        if found is None:
            called = "" if clustering is None else f" called {clustering!r}"
            raise UsageError(
                f"{dataset.name} has no clusters{called} yet: run `ig4 cluster` or "
                f"`ig4 import-clusters` first{otherwise}"
            )
        return clusters.labels(connection, found.id, sample_ids)
