"""Where a sample stands among those that it competes with, and whether there is a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.algorithm import best_first, deal_quotas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.draft import SelectionDraft

NO_GROUP = "no group"
"""How built-in selectors call the group of samples that have none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The rows of the table that a row competes with, `order` (p,) by F(x), best first.

    `counted_in` says what they have in common: "cluster", "group" (called `group`) or "data set".
    `taken` of them are selected, `quota` is what the selector says that they get. `has_line` says
    whether the selected ones are the best `taken` by F(x), and the selector reads F(x).
    """

    counted_in: str
    group: str | None
    order: NDArray[np.int64]
    taken: int
    quota: int
    has_line: bool

    def place(self, row: int) -> int:
        """Return the place of a row by F(x), from 1."""
        return int(np.flatnonzero(self.order == row)[0]) + 1

    @property
    def last_taken(self) -> int | None:
        """The row on the line; None where there is no line, or nothing is taken."""
        return int(self.order[self.taken - 1]) if self.has_line and self.taken else None


def standing_of(
    draft: SelectionDraft, row: int, details: Mapping[str, Any] | None = None
) -> Standing:
    """Return where a row of the table stands; `details` is what the selector says of it."""
    table, pool, told = draft.table, draft.pool, details or {}
    counted_in, group, peers, quota = "data set", None, draft.left, pool.size
    if pool.needs.clusters:
        counted_in = "cluster"
        labels = table.labels[draft.left]
        peers = draft.left[labels == table.labels[row]]
        quota = int(told.get("quota", _dealt(labels, int(table.labels[row]), pool.size)))
    elif (found := _group_rows(draft, row, told)) is not None:
        counted_in, group, peers = "group", str(told["group"]), found
        quota = int(told.get("quota", pool.size))
    order = best_first(table.final, peers)
    selected = np.isin(order, draft.rows)
    taken = int(selected.sum())
    has_line = pool.sums_scores and bool(selected[:taken].all())
    return Standing(counted_in, group, order, taken, quota, has_line)


def _dealt(labels: NDArray[np.int64], own: int, size: int) -> int:
    """Return the quota that a cluster has by its size; 0 for one of which nothing is left."""
    values, counts = np.unique(labels, return_counts=True)
    quotas = deal_quotas(counts, size)[values == own]
    return int(quotas[0]) if len(quotas) else 0


def _group_rows(
    draft: SelectionDraft, row: int, told: Mapping[str, Any]
) -> NDArray[np.int64] | None:
    """Return the rows of a row's group, if the selector reads one grouper and names its group."""
    needs = draft.pool.needs
    at = np.flatnonzero(draft.left == row)
    if len(needs.groups) != 1 or "group" not in told or len(at) == 0:
        return None
    groups = draft.pool.groups(needs.groups[0])
    labels = np.where(groups.labels < 0, len(groups.names), groups.labels)
    own = int(labels[at[0]])
    if told["group"] != (*groups.names, NO_GROUP)[own]:
        return None
    rows: NDArray[np.int64] = draft.left[labels == own]
    return rows
