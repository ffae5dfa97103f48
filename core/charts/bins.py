"""Bins of round numbers, and how many values lie in each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEAR = 1e-9  # of a bin: 100.00000000000001 percent are no reason for another bin
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


def round_edges(values: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return edges (b + 1,) float64 of about `bins` bins that hold all finite values (n,).

    Edges are multiples of 1, 2, 2.5 or 5 times a power of ten. Values that are all equal have one
    bin around them; no values have no edges.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return np.empty(0)
    low, high = float(known.min()), float(known.max())
    step = _step(low, high, bins)
    first = math.floor(low / step + _NEAR)
    last = max(first + 1, math.ceil(high / step - _NEAR))
    return np.arange(first, last + 1, dtype=np.float64) * step


def _step(low: float, high: float, bins: int) -> float:
    span = high - low
    # Below this the edges of neighbouring bins would be one number.
    least = 16 * float(np.spacing(max(abs(low), abs(high), 1e-300)))
    wanted = span / bins if span > 0 else abs(high) / 10 or 1.0
    wanted = max(wanted, least)
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(one * power for one in _ROUND if one * power >= wanted * (1 - 1e-9))


def counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many finite values (n,) lie in each bin, (b,) int64; the last has both edges.

    What lies outside by no more than rounding counts in the bin beside it.
    """
    if not len(edges):
        return np.empty(0, dtype=np.int64)
    known = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
    return np.histogram(known, bins=edges)[0].astype(np.int64)
