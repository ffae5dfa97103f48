"""Why a sample was selected or not: its scores, percents, cluster, quota, and the line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.engine.selecting.algorithm import best_first, deal_quotas
from ig4.core.engine.selecting.select import SelectionRequest, candidate_table, resolve_size
from ig4.core.errors import DatasetError
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sample before the selector.

    `scores` gives by scorer the raw value, the percent, the weight and their product. `place`
    counts from 1 among the `members` of its cluster (for a selector without clusters: of the
    whole data set), `quota` of which are taken; `distance` is F(x) minus the F of the last
    taken, negative for one that missed the line by that much.
    """

    id: str
    selected: bool
    rank: int | None
    final_score: float | None
    scores: dict[str, dict[str, float | str | None]]
    cluster: int | None
    members: int | None
    quota: int | None
    place: int | None
    distance: float | None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def explain(
    session: Session, dataset: DatasetRow, request: SelectionRequest, external_id: str
) -> Explanation:
    """Explain what `select` with the same request does with one sample.

    Raises:
        DatasetError: the data set holds no such sample.
        UsageError: as `select`.
    """
    configured = session.configured(request.selector)
    selector = configured.component
    assert isinstance(selector, Selector)
    with session.store.reading() as connection:
        found = samples.find_ids(connection, dataset.id, [external_id]).get(external_id)
    if found is None:
        raise DatasetError(f"{dataset.name} holds no sample {external_id!r}")
    table = candidate_table(session, dataset, request, clusters_needed=selector.needs_clusters)
    at = np.flatnonzero(table.sample_ids == found[0])
    if len(at) == 0:
        return _left_out(session, dataset, external_id, found, table.names)
    row = int(at[0])
    size = resolve_size(request, len(table.sample_ids))
    ranked = selector.select(table.percent, table.labels, size, table.weights, request.seed)
    rank = np.flatnonzero(ranked == row)
    peers = (
        np.flatnonzero(table.labels == table.labels[row])
        if selector.needs_clusters
        else np.arange(len(table.labels))
    )
    quota = size
    if selector.needs_clusters:
        values, counts = np.unique(table.labels, return_counts=True)
        quota = int(deal_quotas(counts, size)[values == table.labels[row]][0])
    order = best_first(table.final, peers)
    line = float(table.final[order[quota - 1]]) if quota else None
    return Explanation(
        id=external_id,
        selected=len(rank) > 0,
        rank=int(rank[0]) + 1 if len(rank) else None,
        final_score=float(table.final[row]),
        scores={
            name: {
                "value": float(table.raw[row, n]),
                "percent": float(table.percent[row, n]),
                "weight": float(table.weights[n]),
                "points": float(table.percent[row, n] * table.weights[n]),
            }
            for n, name in enumerate(table.names)
        },
        cluster=int(table.labels[row]) if table.clustering else None,
        members=len(peers),
        quota=quota,
        place=int(np.flatnonzero(order == row)[0]) + 1,
        distance=None if line is None else float(table.final[row]) - line,
    )


def _left_out(
    session: Session,
    dataset: DatasetRow,
    external_id: str,
    found: tuple[int, int],
    names: tuple[str, ...],
) -> Explanation:
    sample_id, content = found
    report: dict[str, dict[str, float | str | None]] = {}
    with session.store.reading() as connection:
        bound = scores.bindings(connection, dataset.id)
        for name in names:
            value, error = scores.find(connection, bound[name][0], content)
            report[name] = {"value": value, "error": error}
        (sample,) = samples.by_id(connection, [sample_id])
    lacking = [name for name, row in report.items() if row["value"] is None]
    why = f"it has no {' and no '.join(lacking)} score" if lacking else "it has no cluster"
    if sample.problem is not None:
        why = sample.problem
    return Explanation(
        id=external_id,
        selected=False,
        rank=None,
        final_score=None,
        scores=report,
        cluster=None,
        members=None,
        quota=None,
        place=None,
        distance=None,
        reason=f"left out: {why}",
    )
