"""What a selection would be with other weights, another size or another scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.engine.reporting.view import lines_of
from ig4.core.engine.selecting.candidates import CandidateTable
from ig4.core.engine.selecting.combining import combined
from ig4.core.engine.selecting.draft import PreparedSelection, chosen_rows, selection_pool
from ig4.core.engine.selecting.explain import recorded_request
from ig4.core.engine.selecting.percent import percents
from ig4.core.errors import UsageError
from ig4.storage import scorecolumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.session import Session


@dataclass(frozen=True, slots=True)
class WhatIfRequest:
    """Another `size`, other `weights` by indicator, another `scale`; None leaves it as it is.

    An indicator that does not count gets a part in F(x) by a weight, if all candidates have it.
    """

    size: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    scale: str | None = None


@dataclass(frozen=True)
class WhatIfResult:
    """Which rows of the view (k,) int64 would be selected, best first, and their final scores.

    `scores` (n,) float64 is the F(x) that each sample of the view would have, NaN where it has
    none. `lines` has by contest the F(x) of the last sample taken, as `SelectionView.lines`.
    """

    rows: NDArray[np.int64]
    final: NDArray[np.float64]
    entered: NDArray[np.int64]
    left: NDArray[np.int64]
    scores: NDArray[np.float64]
    lines: Mapping[int, float]

    @cached_property
    def ranks(self) -> Mapping[int, int]:
        """The place in the selection, from 1, by row."""
        return {row: rank for rank, row in enumerate(self.rows.tolist(), start=1)}


class WhatIf:
    """Selects again from the candidates of a stored selection; what does not change is kept.

    The stages before the selector stay as they were: their percentiles do not depend on weights.
    """

    def __init__(self, session: Session, view: SelectionView) -> None:
        """Keep the session and the view; nothing is computed yet.

        Raises:
            UsageError: it cannot be told again what the selector chose from.
        """
        if view.prepared is None:
            raise UsageError(f"this selection cannot be made again: {view.why_not}")
        self.session = session
        self.view = view
        self.prepared: PreparedSelection = view.prepared
        self.request: SelectionRequest = recorded_request(view.selection)
        self._percents: dict[tuple[str, str], NDArray[np.float64]] = {}
        self._lock = Lock()

    def select(self, asked: WhatIfRequest) -> WhatIfResult:
        """Return what would be selected.

        Raises:
            UsageError: the size is out of range, a name or scale is not known, or the weights are
                so large that a final score is infinite.
        """
        with self._lock:
            return self._select(asked)

    def _select(self, asked: WhatIfRequest) -> WhatIfResult:
        prepared, view = self.prepared, self.view
        size = self._size(asked.size)
        table = self._table(asked, size)
        pinned = prepared.table.pinned
        label = self.request.selector.label
        pool = selection_pool(
            self.session,
            view.dataset,
            self.request,
            table,
            prepared.left,
            prepared.selector.needs(),
            size - len(pinned),
            f"selector {label}",
        )
        taken = chosen_rows(prepared.selector, label, pool) if pool.size else pinned[:0]
        chosen = np.concatenate([pinned, prepared.left[taken]])
        rows = view.row_of(table.sample_ids[chosen])
        now = view.rank > 0
        inside = np.zeros(len(view), dtype=bool)
        inside[rows] = True
        scores = np.full(len(view), np.nan)
        scores[view.row_of(table.sample_ids)] = table.final
        return WhatIfResult(
            rows,
            table.final[chosen],
            entered=rows[~now[rows]],
            left=view.selected[~inside[view.selected]],
            scores=scores,
            lines=lines_of(view.peers[rows], scores[rows]) if view.ranks_by_final else {},
        )

    def _size(self, size: int | None) -> int:
        least = max(1, len(self.prepared.table.pinned))
        most = len(self.prepared.table.pinned) + len(self.prepared.left)
        size = len(self.view.selected) if size is None else size
        if not least <= size <= most:
            raise UsageError(f"size {size:,}: from {least:,} to {most:,} can be selected")
        return size

    def _table(self, asked: WhatIfRequest, size: int) -> CandidateTable:
        table = self.prepared.table
        known = {column.name: column for column in self.view.columns}
        if unknown := [name for name in asked.weights if name not in known]:
            raise UsageError(f"there are no scores called {unknown[0]!r}")
        own = dict(zip(table.names, table.weights.tolist(), strict=True))
        weights = own | {name: w for name, w in asked.weights.items() if w or name in own}
        scale = asked.scale or self.request.scale
        percent = np.column_stack([self._percent(name, scale) for name in weights] or [table.raw])
        at = self.view.row_of(table.sample_ids)
        raw = np.column_stack([known[name].raw[at] for name in weights] or [table.raw])
        values = np.array(list(weights.values()), dtype=np.float64)
        final = np.full(len(percent), np.nan)
        whole = ~np.isnan(percent).any(axis=1)
        final[whole] = _combined(percent[whole], values, self.request.combine, size)
        return replace(
            table, names=tuple(weights), weights=values, raw=raw, percent=percent, final=final
        )

    def _percent(self, name: str, scale: str) -> NDArray[np.float64]:
        """Return the percents (n,) of an indicator among the candidates.

        Raises:
            UsageError: it does not count, and candidates lack it; or the scale is unknown.
        """
        key = (name, scale)
        if key not in self._percents:
            self._percents[key] = self._scaled(name, scale)
        return self._percents[key]

    def _scaled(self, name: str, scale: str) -> NDArray[np.float64]:
        table = self.prepared.table
        if name in table.names and scale == self.request.scale:
            return np.ascontiguousarray(table.percent[:, table.names.index(name)])
        at = self.view.row_of(table.sample_ids)
        raw = next(column.raw for column in self.view.columns if column.name == name)
        if name not in table.names and np.isnan(raw[at[self.prepared.left]]).any():
            raise UsageError(f"{name} cannot count here: not all samples that compete have it")
        with self.session.store.reading() as connection:
            columns = scorecolumns.list_all(connection, self.view.dataset.id)
        rows = [row for row in (*table.columns, *columns) if row.name == name]
        # Of all samples, as `select` does: a percentile counts those, too, that do not compete.
        scaled = percents(self.session, rows[:1], raw[:, None], scale, self._within())
        found: NDArray[np.float64] = scaled[at, 0]
        return found

    def _within(self) -> NDArray[np.int64] | None:
        """Return the group (n,) of each sample that percents are taken in, if any."""
        within = self.request.within
        if within is None:
            return None
        view = self.view
        groups = pool_groups(
            self.session,
            view.dataset,
            self.request.pool,
            within,
            view.sample_ids,
            view.contents,
        ).groups
        return np.where(groups.labels < 0, len(groups.names), groups.labels)


def _combined(
    percent: NDArray[np.float64], weights: NDArray[np.float64], how: str, size: int
) -> NDArray[np.float64]:
    """Return the final scores (n,) of percents (n, m).

    Raises:
        UsageError: one is infinite: samples could not be told apart.
    """
    try:
        with np.errstate(over="raise", invalid="raise"):
            final = combined(percent, weights, how, size)
    except FloatingPointError:
        final = np.full(len(percent), np.inf)
    if not np.isfinite(final).all():
        raise UsageError("with these weights F(x) is larger than any number: make them smaller")
    return final
