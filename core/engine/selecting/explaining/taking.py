"""How far a sample is from what a stage takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.engine.selecting.draft import SelectionDraft, chosen_rows
from ig4.core.engine.selecting.explaining.standing import standing_of
from ig4.core.host.blame import blaming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing


def rows_before(case: ExplainedDraft, number: int) -> NDArray[np.int64]:
    """Return the rows of the table, ascending, that a stage (from 0) has before it."""
    table = case.table
    gone = [one for result in case.draft.stages[:number] for one in result.reasons]
    rows: NDArray[np.int64] = np.flatnonzero(~np.isin(table.sample_ids, gone))
    return np.setdiff1d(rows, table.pinned)


def take_reasons(case: ExplainedDraft, number: int, row: int) -> list[str]:
    """Return why a stage (from 0) that takes some did not take a row, in sentences.

    Where it takes the best by F(x), that is how far the row is from its line.
    """
    stage = case.draft.stages[number]
    before = rows_before(case, number)
    choice = stage.stage.selector or case.request.selector
    selector = cast("Selector", case.session.configured(choice).component)
    pool = case.pool(rows=before, needs=selector.needs(), size=stage.after)
    taken = before[chosen_rows(selector, choice.label, pool)]
    with blaming(f"the reasons() of {choice.label}"):
        details = selector.reasons(pool, int(np.flatnonzero(before == row)[0])) or {}
    draft = SelectionDraft(case.table, before, pool, selector, (), taken)
    standing = standing_of(draft, row, details)
    rejected = details.get("rejected_by")
    if standing.has_line:
        return [_place(standing, choice.label, row, case.table.final)]
    if isinstance(rejected, list) and rejected:
        return [str(one) for one in rejected]
    return [f"{choice.label} takes another, or more of what is before it"]


def _place(standing: Standing, label: str, row: int, final: NDArray[np.float64]) -> str:
    where = f"its {standing.counted_in}" if standing.counted_in != "data set" else "what is left"
    place = f"place {standing.place(row):,} of {len(standing.order):,} in {where}"
    last = standing.last_taken
    if last is None:
        return f"it has {place}, of which {label} takes none"
    line = float(final[last] - final[row])
    return f"it has {place}, of which {label} takes {standing.taken:,}; {line:.4f} below the line"
