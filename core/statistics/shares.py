"""How a part of a pool differs from the whole in what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def total_variation(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the total variation distance of two counts (g,): half the sum of |p - q|, 0 to 1.

    It is the share of the second that would have to be exchanged to have the mix of the first.
    """
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def expected_variation(counts: NDArray[np.int64], size: int) -> float:
    """Return about what total variation a uniform draw of `size` from `counts` (g,) has.

    The number of each group among the drawn is hypergeometric; its mean absolute deviation is that
    of a normal distribution of the same variance, sqrt(2 / pi) sd.
    """
    n = int(counts.sum())
    if n <= 1 or not 0 < size < n:
        return 0.0
    share = counts / n
    variance = share * (1 - share) / size * (n - size) / (n - 1)
    return float(np.sqrt(2 / np.pi * variance).sum() / 2)


def eta_squared(values: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the share of the variance of values (n,) that lies between groups, labels (n,) >= 0.

    0 where all values are equal.
    """
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total <= 0:
        return 0.0
    counts = np.bincount(labels)
    sums = np.bincount(labels, weights=values)
    used = counts > 0
    means = sums[used] / counts[used]
    between = float((counts[used] * (means - values.mean()) ** 2).sum())
    return min(1.0, between / total)
