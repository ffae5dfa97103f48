"""What plots of a selection show: its data set, scored, grouped, clustered and laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ig4.core.charts.kinds.correlations import Correlations, correlations
from ig4.core.charts.kinds.funnel import FunnelStep
from ig4.core.charts.kinds.maps import MOST_POINTS, MapValues, map_values
from ig4.core.charts.kinds.scores import Histogram, histogram
from ig4.core.charts.kinds.shares import PartCount, PartShares, part_shares
from ig4.core.charts.kinds.weights import WeightShare, weight_shares
from ig4.core.engine.plotting.kinds import FINAL
from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.reporting.map import selection_map
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.core.suggest import did_you_mean
from ig4.storage import samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Groups
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

T = TypeVar("T")

_FINAL_NAME = "final score F(x)"
_MOST_QUOTAS = 500  # a selector is asked for each


def score_values(view: SelectionView, wanted: Sequence[str] | None = None) -> tuple[Histogram, ...]:
    """Return a histogram of the final score, and one of each column of scores.

    Raises:
        UsageError: there are no scores, or none of a wanted name.
    """
    chosen = view.rank > 0
    found: dict[str, Histogram] = {}
    if np.isfinite(view.final).any():
        found[FINAL] = histogram(
            _FINAL_NAME, view.final, chosen, unit="points", has_line=view.ranks_by_final
        )
    for column in view.columns:
        has_percent = bool(np.isfinite(column.percent).any())
        values = column.percent if has_percent else column.raw
        unit = "percent" if has_percent else "raw"
        found[column.name] = histogram(column.name, values, chosen, unit=unit, raw=column.raw)
    return tuple(_wanted(found, wanted, view.dataset.name).values())


def correlation_values(view: SelectionView, wanted: Sequence[str] | None = None) -> Correlations:
    """Return the rank correlations of the columns of scores and the final score.

    Raises:
        UsageError: there are no scores, or none of a wanted name.
    """
    columns = {column.name: _values(column.percent, column.raw) for column in view.columns}
    if columns and np.isfinite(view.final).any():
        columns[FINAL] = view.final
    kept = _wanted(columns, wanted, view.dataset.name)
    return correlations([*kept], [*kept.values()])


def _values(percent: NDArray[np.float64], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return percent if np.isfinite(percent).any() else raw


def _wanted(found: Mapping[str, T], wanted: Sequence[str] | None, dataset: str) -> dict[str, T]:
    if not found:
        raise UsageError(
            f"{dataset} has no scores yet: run `ig4 score --scorers clip,length` or "
            "`ig4 import-scores` first"
        )
    for name in wanted or ():
        if name not in found:
            raise UsageError(
                f"{dataset} has no scores called {name!r}{did_you_mean(name, found)} (there are: "
                f"{', '.join(found)})"
            )
    return {name: found[name] for name in (wanted or found)}


def weight_values(view: SelectionView) -> tuple[WeightShare, ...]:
    """Return what each weight of a selection is worth, the largest first.

    Raises:
        UsageError: the selection counts no scores, or is of an older ig4.
    """
    effective = view.report.get("effective_weights")
    if not effective:
        raise UsageError(
            f"{view.label} counts no scores, so there are no weights to show: `ig4 plot scores` "
            "shows the scores that there are"
        )
    return weight_shares(effective)


def group_values(session: Session, view: SelectionView, by: str | None = None) -> PartShares:
    """Return the groups of the pool and of the selection; by the selection's grouper if None.

    Raises:
        UsageError: there are no groups, or no such grouper.
    """
    told = (view.report.get("composition") or {}).get("by", "auto")
    groups = view.groups if by is None else _groups(session, view, by)
    if groups is None:
        raise UsageError(
            f"{view.dataset.name} has no groups by {told}: name another grouper with --by "
            "(`ig4 plugins list` has them)"
        )
    selected = groups.take(view.selected).counts
    parts = [
        PartCount(name, int(groups.counts[n]), int(selected[n]))
        for n, name in enumerate(groups.names)
    ]
    without = groups.labels < 0
    if without.any():
        parts.append(PartCount("in no group", int(without.sum()),
                               int((without & (view.rank > 0)).sum())))  # fmt: skip
    return part_shares("group", by or str(told), parts)


def _groups(session: Session, view: SelectionView, by: str) -> Groups:
    clustering = None if view.clustering is None else view.clustering.id
    choice = Choice("grouper", by, {}, by)
    settings = PoolSettings(groupers={by: choice}, clustering=clustering)
    return pool_groups(session, view.dataset, settings, by, view.sample_ids, view.contents).groups


def cluster_values(view: SelectionView) -> PartShares:
    """Return the clusters of a data set with their sizes, quotas, and selected samples.

    Raises:
        UsageError: the data set has no clusters.
    """
    if view.clusters is None or view.clustering is None:
        raise UsageError(
            f"{view.dataset.name} has no clusters: run `ig4 cluster` or `ig4 import-clusters` first"
        )
    chosen = view.clusters[view.rank > 0]
    quotas = _quotas(view)
    parts = [
        PartCount(
            f"cluster {label}" if label >= 0 else "in no cluster",
            int(size), int((chosen == label).sum()), quotas.get(label),
        )
        for label, size in zip(*(
            one.tolist() for one in np.unique(view.clusters, return_counts=True)
        ), strict=True)
    ]  # fmt: skip
    return part_shares("cluster", view.clustering.name, parts)


def _quotas(view: SelectionView) -> dict[int, int]:
    """Return by cluster what its quota was, where the selector deals by clusters and tells it."""
    prepared = view.prepared
    if prepared is None or not prepared.pool.needs.clusters:
        return {}
    labels = prepared.table.labels[prepared.left]
    clusters, first, counts = np.unique(labels, return_index=True, return_counts=True)
    if len(clusters) > _MOST_QUOTAS:
        return {}
    found = {}
    for label, row, count in zip(clusters.tolist(), first.tolist(), counts.tolist(), strict=True):
        try:
            told = prepared.selector.reasons(prepared.pool, row) or {}
        except Exception:  # noqa: BLE001 - of a plugin; a plot does without quotas
            return {}
        # A selector may deal by other groups than the clusters: then this is none of theirs.
        quota = told.get("quota")
        if isinstance(quota, int) and told.get("members") == count:
            found[label] = quota
    return found if len(found) == len(clusters) else {}


def funnel_values(view: SelectionView) -> tuple[FunnelStep, ...]:
    """Return how many samples are left after each reason to leave samples out, in order."""
    left = len(view)
    steps = [FunnelStep("all samples", left)]
    counts = np.bincount(view.fate, minlength=len(view.fates)).tolist()
    stages = [n for n, name in enumerate(view.fates) if n > 1 and name.startswith("stage ")]
    lacking = [n for n in range(2, len(view.fates)) if n not in stages]
    for n in (*lacking, *stages):
        if counts[n] or n in stages:
            left -= counts[n]
            name = view.fates[n]
            steps.append(FunnelStep(name if n in stages else f"without: {name}", left))
    steps.append(FunnelStep("selected", int((view.rank > 0).sum())))
    return tuple(steps)


def map_of(
    session: Session, view: SelectionView, method: str = "pca", space: str | None = None
) -> MapValues:
    """Return where the samples of a data set lie.

    Raises:
        UsageError: there are no vectors, or no such space or method.
    """
    found = selection_map(session, view, method=method, space=space)
    if found is None:
        raise UsageError(
            f"{view.dataset.name} has no vectors to make a map of: `ig4 score --spaces clip` or "
            "`ig4 import-vectors` makes some"
        )
    return map_values(
        found.coordinates, view.rank > 0, _ids(session, view), space=found.space,
        method=found.method,
    )  # fmt: skip


def _ids(session: Session, view: SelectionView) -> list[str]:
    """Return the ids of all samples, as users know them; none where there are too many to show."""
    if len(view) > MOST_POINTS:
        return []
    wanted = view.sample_ids.tolist()
    with session.store.reading() as connection:
        known = samples.external_ids(connection, wanted, view.dataset.id)
    return [known.get(one, "") for one in wanted]
