"""How well values tell one thing from another: the area under the ROC, pair by pair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.statistics.resampling import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class AreaResult:
    """An area under the ROC (0 to 1; 0.5 is chance) of so many pairs, with its 95 % interval."""

    pairs: int
    area: float
    low: float
    high: float


def paired_area(first: NDArray[np.float64], second: NDArray[np.float64]) -> AreaResult:
    """Return how often a value of `first` (n,) is above one of `second` (n,), any with any.

    Equal values count half, as in the statistic of Mann and Whitney (1947). Row i of both belongs
    to the same item; the interval is that of DeLong et al. (1988) for such clusters of one and one
    (Obuchowski 1997): the placements of the two values of an item are added up before their
    variance is taken. Where the two overlap nowhere that variance is 0; then Wilson's limit of n
    out of n stands in its place.

    Raises:
        ValueError: the arrays differ in length, or have fewer than two values.
    """
    n = len(first)
    if n != len(second) or n < 2:
        raise ValueError(f"{n} and {len(second)} values are no pairs to compare")
    above, below = _shares_below(first, second), 1.0 - _shares_below(second, first)
    area = float(above.mean())
    error = math.sqrt(float(((above + below - 2.0 * area) ** 2).sum()) / (n * (n - 1)))
    limit = _Z**2 / (n + _Z**2)  # 1 - Wilson's lower limit of a share of n out of n
    if area >= 1.0:
        return AreaResult(n, 1.0, 1.0 - limit, 1.0)
    if area <= 0.0:
        return AreaResult(n, 0.0, 0.0, limit)
    return AreaResult(n, area, max(0.0, area - _Z * error), min(1.0, area + _Z * error))


def _shares_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each of values (n,) which share of others (m,) is below it, equal ones half."""
    ordered = np.sort(others)
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    shares: NDArray[np.float64] = (left + right) / (2.0 * len(others))
    return shares
