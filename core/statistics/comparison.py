"""Confidence intervals of means, and a test whether two sets of answers really differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ig4.core.statistics import resampling
from ig4.core.statistics.resampling import CONFIDENCE, resampled_means, sign_test

_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class ComparisonResult:
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
    """Return a 95 % interval of a mean: Wilson's for shares of right answers, else a bootstrap.

    Wilson's (1927) has its coverage where the bootstrap has not: with few questions, or when all
    answers are right or all are wrong.
    """
    if not values or not set(values) <= {0.0, 1.0}:
        return interval(values, seed)
    n, share = len(values), math.fsum(values) / len(values)
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron 1979).

    Equal values and seed give equal intervals. Of no values it is NaN; of one value, both ends are
    that value.
    """
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    if len(data) == 0:
        return math.nan, math.nan
    return resampling.interval(resampled_means(data[:, None], seed=seed)[:, 0])


def compare(first: Sequence[float], second: Sequence[float], seed: int = 0) -> ComparisonResult:
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
    return ComparisonResult(
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
