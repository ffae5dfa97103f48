"""How much two selections share, beside what two random draws would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.comparing.result import Overlap
from ig4.core.statistics.ranks import kendall_tau, rank_correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray


def overlap_of(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    candidates_a: NDArray[np.int64],
    candidates_b: NDArray[np.int64],
) -> Overlap:
    """Compare two selections, given as distinct keys best first, (n,) and (m,).

    `candidates_a` and `candidates_b` are the distinct keys that each was chosen from.
    """
    _, place_a, place_b = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    common, union = len(place_a), len(a) + len(b) - len(place_a)
    both = len(np.intersect1d(candidates_a, candidates_b, assume_unique=True))
    expected, deviation = expected_overlap(
        len(a), len(b), len(candidates_a), len(candidates_b), both
    )
    ranks = place_a.astype(np.float64), place_b.astype(np.float64)
    return Overlap(
        common=common,
        union=union,
        share_a=common / len(a) if len(a) else 0.0,
        share_b=common / len(b) if len(b) else 0.0,
        jaccard=common / union if union else 0.0,
        expected=expected,
        deviation=deviation,
        candidates_a=len(candidates_a),
        candidates_b=len(candidates_b),
        candidates_both=both,
        spearman=rank_correlation(*ranks),
        kendall=kendall_tau(*ranks),
    )


def expected_overlap(
    size_a: int, size_b: int, pool_a: int, pool_b: int, shared: int
) -> tuple[float, float]:
    """Return mean and standard deviation of the overlap of two random draws.

    `size_a` of `pool_a` and `size_b` of `pool_b` samples are drawn without replacement, and
    `shared` of the samples are in both pools. In one pool of N this is the hypergeometric
    distribution: the mean is size_a · size_b / N. In general each shared sample is in both draws
    with p = (size_a / pool_a) · (size_b / pool_b), and two of them with q, that of pairs:
    the mean is shared · p, the variance shared · p (1 - p) + shared (shared - 1) (q - p²).
    """
    if not pool_a or not pool_b or not shared:
        return 0.0, 0.0
    p = size_a / pool_a * size_b / pool_b
    q = _pair(size_a, pool_a) * _pair(size_b, pool_b)
    variance = shared * p * (1 - p) + shared * (shared - 1) * (q - p * p)
    return shared * p, float(np.sqrt(max(0.0, variance)))


def _pair(size: int, pool: int) -> float:
    """Return the chance that two given samples are both drawn."""
    return size * (size - 1) / (pool * (pool - 1)) if pool > 1 else 0.0
