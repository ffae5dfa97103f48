"""The samples beside the line of a group, and beside one sample of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.selecting.explaining.explanation import Neighbourhood, NeighbourSample
from ig4.core.engine.selecting.explaining.texts import in_a_line
from ig4.storage import samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing

BESIDE = 3
"""How many samples are shown on each side of the line, and of the sample."""


def neighbourhood(case: ExplainedDraft, standing: Standing, row: int) -> Neighbourhood:
    """Return the neighbours of a row among those that it competes with.

    Where the best by F(x) are taken, these are the last taken and the first not taken, and those
    just above and below the row. Else they are the last taken by rank, and those that rank beside
    a row that is selected.
    """
    if standing.has_line:
        order, places = standing.order.tolist(), True
        line, at = standing.taken, standing.place(row) - 1
        parts = _around(order, line, at)
    else:
        chosen = case.draft.rows
        order, places = chosen[np.isin(chosen, standing.order)].tolist(), False
        at_rank = order.index(row) if row in order else None
        parts = _around(order, len(order), at_rank)
    shown = _shown(case, {one for part in parts for one in part}, standing, places=places)
    last, first, above, below = ([shown[one] for one in part] for part in parts)
    by = "final score" if places else "rank"
    return Neighbourhood(by, tuple(last), tuple(first), tuple(above), tuple(below))


def _around(
    order: list[int], line: int, at: int | None
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return those before and after the line, and those before and after a place."""
    before, after = order[max(0, line - BESIDE) : line], order[line : line + BESIDE]
    if at is None:
        return before, after, [], []
    return before, after, order[max(0, at - BESIDE) : at], order[at + 1 : at + 1 + BESIDE]


def _shown(
    case: ExplainedDraft, rows: set[int], standing: Standing, *, places: bool
) -> Mapping[int, NeighbourSample]:
    table = case.table
    known = sorted(rows)
    numbers = table.sample_ids[known].tolist() if known else []
    with case.session.store.reading() as connection:
        stored = samples.by_id(connection, numbers, case.dataset.id)
    ranks = {int(row): rank for rank, row in enumerate(case.draft.rows.tolist(), start=1)}
    return {
        row: NeighbourSample(
            sample.external_id,
            row in ranks,
            ranks.get(row),
            standing.place(row) if places else None,
            _final(case, row),
            in_a_line(sample.instruction),
            in_a_line(sample.answer),
        )
        for row, sample in zip(known, stored, strict=True)
    }


def _final(case: ExplainedDraft, row: int) -> float | None:
    value = float(case.table.final[row])
    return value if case.table.names and not np.isnan(value) else None
