"""Which samples a near-duplicate repeats: all for which a stage would leave it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.pooling.furtherimages import further_images, image_spaces
from ig4.core.engine.pooling.spaces import require_space
from ig4.core.engine.selecting.alike import ComparedSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.funnel import Stage


def repeated_rows(
    case: ExplainedDraft, stage: Stage, before: NDArray[np.int64], row: int
) -> NDArray[np.int64]:
    """Return the rows of the table that a row repeats, of those `before` a stage that dedups.

    While one of them is there and stays, the stage leaves the row out: it is equal to each of
    them, or alike in all spaces of the stage.
    """
    contents, earlier = case.table.contents, before[before < row]
    equal: NDArray[np.int64] = earlier[contents[earlier] == contents[row]]
    if not stage.spaces:
        return equal
    return np.union1d(equal, _alike(case, stage, np.append(earlier, row)))


def _alike(case: ExplainedDraft, stage: Stage, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of some rows, ascending, that are alike to the last of them."""
    own = rows[_have_vectors(case, stage, rows)]
    if len(own) < 2 or own[-1] != rows[-1]:
        return own[:0]
    pool = case.pool(rows=own, needs=stage.needs(), size=len(own))
    last, others = len(own) - 1, np.arange(len(own) - 1)
    for space in stage.spaces:
        others = others[ComparedSpace.of_pool(pool, space, stage.line()).agree(last, others)]
    seeing = image_spaces(case.session, case.dataset, stage.spaces, case.request.pool)
    further = further_images(
        case.session, case.dataset, [*seeing.values()], case.table.sample_ids[own], stage.line()
    )
    if further is not None and len(others):
        others = others[further.agree(last, others)]
    return own[others]


def _have_vectors(case: ExplainedDraft, stage: Stage, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows have vectors in all spaces of a stage."""
    known = np.ones(len(rows), dtype=bool)
    ids, contents = case.table.sample_ids[rows], case.table.contents[rows]
    for space in stage.spaces:
        found = require_space(
            case.session, case.dataset, space, case.request.pool.embedders, ids, contents
        )
        known &= found.row_of >= 0
    return known
