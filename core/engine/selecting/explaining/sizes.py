"""Which size of a selection takes a sample: every one is tried with the selector itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.selecting.algorithm import deal_quotas
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing


def size_that_takes(case: ExplainedDraft, standing: Standing, row: int) -> int | None:
    """Return a size of the selection that takes a row, where one less does not; None if none does.

    It is the least such size wherever a larger selection has all of a smaller one.
    """
    if case.request.combine == "vote":  # the votes go with the size
        return None
    own, left = case.draft.pool.size, len(case.draft.left)
    tried: dict[int, bool | None] = {own: False}

    def takes(size: int) -> bool | None:
        """Tell whether a size takes the row; None if the selector refuses the size."""
        if size not in tried:
            try:
                tried[size] = case.takes(row, case.pool(size=size))
            except UsageError:
                tried[size] = None
        return tried[size]

    most = left
    if takes(left) is None:
        most = _last(own, left, lambda size: takes(size) is not None)
    guess = _guess(case, standing, row)
    enough = next((one for one in (guess, most) if own < one <= most and takes(one)), None)
    if enough is None:
        return None
    short = own if takes(enough - 1) else enough - 1
    size = _last(short, enough, lambda one: not takes(one)) + 1
    return size + len(case.table.pinned)  # who are kept take places, too


def _last(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return a number below `high` for which something holds, as for `low`, and not for the next.

    It does not hold for `high`.
    """
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _guess(case: ExplainedDraft, standing: Standing, row: int) -> int:
    """Return the size that is tried first: right where quotas go by the members of clusters."""
    place = standing.place(row)
    if standing.counted_in != "cluster":
        return place
    labels = case.table.labels[case.draft.left]
    values, counts = np.unique(labels, return_counts=True)
    own = int(np.flatnonzero(values == case.table.labels[row])[0])
    return _last(0, len(labels), lambda size: deal_quotas(counts, size)[own] < place) + 1
