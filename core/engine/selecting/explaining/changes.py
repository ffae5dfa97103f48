"""What would have to change for a sample to get in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.algorithm import deal_quotas
from ig4.core.engine.selecting.explaining.explanation import Changes
from ig4.core.engine.selecting.explaining.rises import score_changes

if TYPE_CHECKING:
    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing

_SIZES = 200
"""How many sizes are looked at for the least one that gives a cluster enough."""


def changes_of(
    case: ExplainedDraft, standing: Standing, row: int, details: Mapping[str, Any] | None
) -> Changes:
    """Return what would let a row in that the selector did not take.

    Nothing is guessed: every number was tried with the selector. Where it does not take the best
    by F(x), what it says itself is all that is told.
    """
    if case.draft.pool.size == 0:
        return Changes(("all places go to samples to keep: select more, or keep fewer",))
    if not standing.has_line:
        return Changes(_by_selector(case, details))
    changed = score_changes(case, standing, row) if standing.taken else ()
    told = [one.told for one in changed] or [f"no score would do: {_whole(standing)} gives none"]
    place = standing.place(row)
    size = _size_that_takes(case, standing, row, place)
    if standing.counted_in == "data set":
        quota = None
        told += [f"a selection of {size:,} takes it (--size {size})"] if size else []
    else:
        quota = place
        more = f"; a selection of {size:,} gives that and takes it (--size {size})" if size else ""
        told.append(
            f"{_whole(standing)} would have to give {place:,}, not {standing.taken:,}{more}"
        )
    return Changes(tuple(told), changed, quota, size)


def _whole(standing: Standing) -> str:
    return f"its {standing.counted_in}"


def _by_selector(case: ExplainedDraft, details: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what is known of a selector that does not take the best by F(x)."""
    label = case.request.selector.label
    known = details or {}
    rejected = known.get("rejected_by")
    if isinstance(rejected, list) and rejected:
        return (f"what rejects it has to go: {'; '.join(map(str, rejected))}",)
    general = f"{label} does not take the best by F(x), so no score alone is known to be enough"
    if any(one is not None for one in known.values()):
        return (f"{general}; what it says of the sample is above",)
    return (f"{general}; it does not say why it takes a sample",)


def _size_that_takes(case: ExplainedDraft, standing: Standing, row: int, place: int) -> int | None:
    """Return a size of the selection that takes a row, tried; None where none is known."""
    if case.request.combine == "vote":  # the votes go with the size
        return None
    left = len(case.draft.left)
    size: int | None = place
    if standing.counted_in != "data set":
        size = _size_for_quota(case, row, place) if standing.counted_in == "cluster" else None
    if size is None or not case.draft.pool.size < size <= left:
        return None
    if not case.takes(row, case.pool(size=size)):
        return None
    return size + len(case.table.pinned)  # who are kept take places, too


def _size_for_quota(case: ExplainedDraft, row: int, quota: int) -> int | None:
    """Return the least size at which a row's cluster gets a quota in proportion to its members.

    None where quotas are not dealt so. Of many sizes not all are looked at; the last one is enough.
    """
    labels = case.table.labels[case.draft.left]
    values, counts = np.unique(labels, return_counts=True)
    own = int(np.flatnonzero(values == case.table.labels[row])[0])
    size = case.draft.pool.size
    if int(deal_quotas(counts, size)[own]) >= quota:
        return None  # dealt otherwise
    members, total = int(counts[own]), int(counts.sum())
    first = max(size + 1, -(-(quota - 1) * total // members))
    last = min(total, -(-quota * total // members))
    step = max(1, (last - first) // _SIZES)
    for wanted in (*range(first, last, step), last):
        if int(deal_quotas(counts, wanted)[own]) >= quota:
            return int(wanted)
    return None
