"""The bootstrap and the sign test: how sure means are, and whether differences are mere luck."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval: TypeAlias = tuple[float, float]

RESAMPLES = 10_000
"""How often a sample is drawn anew."""

CONFIDENCE = 0.95

_FEW = 16  # different rows; how often each is drawn then says it all
_CELLS = 1 << 17  # drawn at a time: what fits a processor's cache is gathered twice as fast


def resampled_means(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 42
) -> NDArray[np.float64]:
    """Return (resamples, k): the means of the k columns of `values` (n, k) in bootstrap samples.

    Rows are drawn with replacement (Efron 1979), and as a whole, so that what belongs to one item
    stays together. Equal input, equal output.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    n = len(values)
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    if len(distinct) <= _FEW:
        drawn = rng.multinomial(n, counts / n, size=resamples)
        few: NDArray[np.float64] = drawn @ distinct / n
        return few
    columns = [np.ascontiguousarray(column) for column in values.T]
    means = np.empty((resamples, len(columns)))
    step = max(1, _CELLS // max(1, n))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        rows = rng.integers(0, n, size=(stop - start, n))
        for n_column, column in enumerate(columns):
            means[start:stop, n_column] = column.take(rows).mean(axis=1)
    return means


def interval(statistics: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval:
    """Return the percentile bootstrap interval of a statistic's values in bootstrap samples."""
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.quantile(statistics, (tail, 1 - tail))
    return float(low), float(high)


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p of so many better and worse ones, were both as likely; ties dropped.

    The binomial distribution with p = 1/2, in integers: exact for any number. Without a single one
    it is 1.
    """
    n = better + worse
    term = tail = 1  # binomial coefficients, and their sum up to the smaller count
    for k in range(1, min(better, worse) + 1):
        term = term * (n - k + 1) // k
        tail += term
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))
