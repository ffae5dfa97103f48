"""By how much one score alone would have to change for a sample to get in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.selecting.algorithm import best_first
from ig4.core.engine.selecting.combining import combined
from ig4.core.engine.selecting.explaining.explanation import ScoreChange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing

BY_ROW = ("sum", "product", "min")
"""The combinations in which the final score of a sample depends on its own scores alone."""

_STEPS = 60  # halvings, by which a number is found as exactly as it can be written
_STEPS_OF_RANKS = 24  # fewer where each compares all samples anew
_DIGITS = 4


def score_changes(case: ExplainedDraft, standing: Standing, row: int) -> tuple[ScoreChange, ...]:
    """Return what each counting score of a row that is not taken would have to be."""
    return tuple(
        _score_change(case, standing, row, column) for column in range(len(case.table.names))
    )


def _score_change(case: ExplainedDraft, standing: Standing, row: int, column: int) -> ScoreChange:
    table = case.table
    name, weight = table.names[column], float(table.weights[column])
    own = float(table.percent[row, column])
    limit = _limit(table.percent[:, column], weight)
    if math.isnan(own):
        return ScoreChange(name, None, None, None, limit, f"{name}: it has no such score")
    if weight == 0 and case.request.combine != "vote":
        return ScoreChange(name, own, None, None, limit, f"{name}: its weight is 0")
    if weight == 0 or own == limit or not _is_enough(case, standing, row, column, limit):
        told = f"{name}: not even {limit:g} would do (it has {_number(own)})"
        return ScoreChange(name, own, None, None, limit, told)
    needed = _least(case, standing, row, column, own, limit)
    percent, final = _with(case, row, column, needed)
    if not case.takes(row, case.pool(percent=percent, final=final)):
        told = f"{name}: {_number(needed)} would make the line, but the selector looks at more"
        return ScoreChange(name, own, None, None, limit, told)
    points = needed - own
    way = "rise" if points > 0 else "fall"
    told = (
        f"{name} would have to {way} by {_number(abs(points), up=True)} points, from "
        f"{_number(own)} to {_number(needed, up=points > 0)}"
    )
    return ScoreChange(name, own, needed, points, limit, told)


def _limit(percent: NDArray[np.float64], weight: float) -> float:
    """Return the best percent that is tried: the end of the scale, or beyond it what others have.

    The scale of the paper cuts nothing: a reward may be above 100, or below 0.
    """
    known = percent[~np.isnan(percent)]
    return min(0.0, float(known.min())) if weight < 0 else max(100.0, float(known.max()))


def _least(
    case: ExplainedDraft, standing: Standing, row: int, column: int, own: float, limit: float
) -> float:
    """Return the percent nearest to a row's own that is enough, between that and the limit."""
    short, enough = own, limit
    for _ in range(_STEPS if case.request.combine in BY_ROW else _STEPS_OF_RANKS):
        middle = (short + enough) / 2
        if middle in (short, enough):
            break
        if _is_enough(case, standing, row, column, middle):
            enough = middle
        else:
            short = middle
    return enough


def _is_enough(
    case: ExplainedDraft, standing: Standing, row: int, column: int, value: float
) -> bool:
    """Tell whether a row is among the best of its group with another percent in a column."""
    last = standing.last_taken
    if last is None:
        return False
    if case.request.combine in BY_ROW:
        final, line = _own_final(case, row, column, value), float(case.table.final[last])
        return final > line or (final == line and row < last)
    _, finals = _with(case, row, column, value)
    return bool((best_first(finals, standing.order)[: standing.taken] == row).any())


def _own_final(case: ExplainedDraft, row: int, column: int, value: float) -> float:
    one = case.table.percent[row : row + 1].copy()
    one[0, column] = value
    return float(combined(one, case.table.weights, case.request.combine, 1)[0])


def _with(
    case: ExplainedDraft, row: int, column: int, value: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return percents (n, m) and final scores (n,) with another percent in one place."""
    table, how = case.table, case.request.combine
    percent, final = table.percent.copy(), table.final.copy()
    percent[row, column] = value
    if how in BY_ROW:
        final[row] = _own_final(case, row, column, value)
        return percent, final
    whole = ~np.isnan(percent).any(axis=1)
    final[whole] = combined(percent[whole], table.weights, how, case.draft.pool.size)
    return percent, final


def _number(value: float, *, up: bool = False) -> str:
    """Return a number as it is shown; `up` so that what is shown is enough."""
    scale = 10.0**_DIGITS
    shown = math.ceil(value * scale) / scale if up else round(value, _DIGITS)
    return f"{shown:.{_DIGITS}f}".rstrip("0").rstrip(".")
