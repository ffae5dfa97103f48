"""How sure a mean is, and whether two sets of answers to the same questions really differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Compared:
    """How two sets of values for the same items differ.

    `difference` is mean(second) - mean(first), with its interval; `better`, `worse` and `equal`
    count items by how the second compares with the first; `p` is two-sided.
    """

    items: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    better: int
    worse: int
    equal: int
    p: float
    test: str


def mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return a 95 % interval of a mean: Wilson's of a share of right answers, else a bootstrap.

    Wilson (1927) keeps its promise where the bootstrap cannot: with few questions, or when all are
    right or all are wrong.
    """
    if not values or not set(values) <= {0.0, 1.0}:
        return interval(values, seed)
    n, share = len(values), math.fsum(values) / len(values)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron 1979).

    Items are drawn with replacement RESAMPLES times; equal values and seed give equal intervals.
    Of no values it is NaN, of one just this value.
    """
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    if len(data) == 0:
        return math.nan, math.nan
    means = _means(data, seed)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _means(data: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    import numpy as np

    draw = np.random.default_rng(seed)
    distinct, counts = np.unique(data, return_counts=True)
    if len(distinct) <= 16:  # accuracies: how often each value is drawn says it all
        drawn = draw.multinomial(len(data), counts / len(data), size=RESAMPLES)
        means: NDArray[np.float64] = drawn @ distinct / len(data)
        return means
    step = max(1, _AT_ONCE // len(data))
    parts = [
        data[draw.integers(0, len(data), size=(min(step, RESAMPLES - at), len(data)))].mean(axis=1)
        for at in range(0, RESAMPLES, step)
    ]
    return np.concatenate(parts)


def compare(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Compared:
    """Compare the values of the same items, at least one.

    The interval is that of the mean difference, items resampled in pairs. The test is the exact
    sign test on items that differ, which for right and wrong answers is McNemar's (1947), exact.
    """
    differences = [b - a for a, b in zip(first, second, strict=True)]
    low, high = interval(differences, seed)
    better = sum(1 for one in differences if one > 0)
    worse = sum(1 for one in differences if one < 0)
    n = len(differences)
    binary = {*first, *second} <= {0.0, 1.0}
    return Compared(
        items=n,
        first=math.fsum(first) / n,
        second=math.fsum(second) / n,
        difference=math.fsum(differences) / n,
        low=low,
        high=high,
        better=better,
        worse=worse,
        equal=n - better - worse,
        p=sign_test(better, worse),
        test="McNemar's exact test" if binary else "sign test",
    )


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p of so many better and worse ones, were both as likely.

    Twice the smaller tail of the binomial distribution with p = 1/2, at most 1.
    """
    n, least = better + worse, min(better, worse)
    if n == 0:
        return 1.0
    term, tail = 1, 0  # whole numbers: 2^-n is none that a computer has for n beyond 1,074
    for k in range(least + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    p: float = 2 * tail / 2**n
    return min(1.0, p)
