"""The clusters of a data set beside a selection: sizes, quotas, the line, and typical samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.pooling.spaces import space_vectors
from ig4.core.errors import Ig4Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.engine.reporting.map import SampleMap
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

TYPICAL = 6
_MOST = 200
"""More clusters than this are no table; the largest are shown."""


def cluster_table(
    session: Session, view: SelectionView, found: SampleMap | None
) -> list[dict[str, Any]]:
    """Return a row for each cluster, the largest first; typical samples are rows of the view."""
    if view.clusters is None:
        return []
    labels, counts = np.unique(view.clusters[view.clusters >= 0], return_counts=True)
    order = np.lexsort((labels, -counts))[:_MOST]
    typical = _typical(session, view, found, labels[order])
    return [_row(view, int(labels[n]), typical.get(int(labels[n]), [])) for n in order.tolist()]


def _row(view: SelectionView, label: int, typical: list[int]) -> dict[str, Any]:
    assert view.clusters is not None
    members = np.flatnonzero(view.clusters == label)
    taken = members[view.rank[members] > 0]
    own = view.final[members]
    known = own[~np.isnan(own)]
    return {
        "label": label,
        "size": len(members),
        "compared": int((view.peers[members] >= 0).sum()),
        "selected": len(taken),
        "mean": float(known.mean()) if len(known) else None,
        "line": view.lines.get(label) if view.deals_by_cluster else None,
        "typical": typical,
    }


def _typical(
    session: Session, view: SelectionView, found: SampleMap | None, labels: NDArray[np.int64]
) -> Mapping[int, list[int]]:
    """Return by cluster the rows whose vectors are nearest to its mean, each image once."""
    if found is None or view.clusters is None:
        return {}
    try:
        vectors = space_vectors(
            session, view.dataset, found.space, {}, view.sample_ids, view.contents
        )
    except Ig4Error:
        return {}
    if vectors is None:
        return {}
    result = {}
    for label in labels.tolist():
        members = np.flatnonzero((view.clusters == label) & (vectors.row_of >= 0))
        _, first = np.unique(vectors.row_of[members], return_index=True)
        members = np.sort(members[first])
        own = np.asarray(vectors.vectors[vectors.row_of[members]], dtype=np.float64)
        unit = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        nearness = unit @ unit.mean(axis=0) if len(unit) else np.empty(0)
        result[label] = members[np.lexsort((members, -nearness))][:TYPICAL].tolist()
    return result
