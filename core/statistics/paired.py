"""Compares two series of results pair by pair: Student's t and the exact permutation test.

It is meant for few pairs (the seeds of an ablation), so everything is computed here, without scipy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXACT_PAIRS = 16
"""Up to so many pairs all 2^n signs are tried; above, `DRAWS` random ones."""

DRAWS = 100_000
_CONVERGED = 1e-15
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class PValues:
    """Probabilities of a mean difference at least as large, if there were none, by direction."""

    greater: float
    less: float
    both: float


@dataclass(frozen=True, slots=True)
class PairedResult:
    """A comparison of paired results; `difference` is the mean of first minus second.

    `low` and `high` are its interval by Student's t at the confidence `level`. These, `t` and
    `student` are None for a single pair; where all differences are equal, and so have no spread,
    only `t` and `student` are.
    """

    pairs: int
    difference: float
    low: float | None
    high: float | None
    level: float
    t: float | None
    student: PValues | None
    permutation: PValues


def compare(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> PairedResult:
    """Compare results that belong together pair by pair, at least one pair.

    Raises:
        ValueError: the series differ in length, or are empty.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    n = len(differences)
    if n == 0:
        raise ValueError("no pairs to compare")
    mean = math.fsum(differences.tolist()) / n
    signs = permutation(differences)
    if n == 1:
        return PairedResult(n, mean, None, None, level, None, None, signs)
    deviation = float(differences.std(ddof=1))
    scale = max(float(np.abs(differences).max()), math.ulp(1.0))
    error = 0.0 if deviation <= _ROUNDING * scale else deviation / math.sqrt(n)
    half = quantile(0.5 + level / 2, n - 1) * error
    if error == 0.0:
        return PairedResult(n, mean, mean, mean, level, None, None, signs)
    t = mean / error
    student = PValues(upper(t, n - 1), upper(-t, n - 1), min(1.0, 2 * upper(abs(t), n - 1)))
    return PairedResult(n, mean, mean - half, mean + half, level, t, student, signs)


def permutation(differences: Sequence[float] | np.ndarray) -> PValues:
    """Return how often random signs give a sum at least as extreme as that of the differences.

    Exact up to `EXACT_PAIRS` pairs; there the smallest one-sided value is 1 / 2^n.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n <= EXACT_PAIRS:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        extra = 0
    else:
        bits = np.random.default_rng(0).integers(0, 2, (DRAWS, n))
        extra = 1  # the signs as they are count as one of the draws
    sums = (1 - 2 * bits) @ values
    observed = values.sum()
    tolerance = _ROUNDING * max(float(np.abs(values).sum()), math.ulp(1.0))
    total = len(sums) + extra

    def share(hits: np.ndarray) -> float:
        return float((hits.sum() + extra) / total)

    return PValues(
        share(sums >= observed - tolerance),
        share(sums <= observed + tolerance),
        share(abs(sums) >= abs(observed) - tolerance),
    )


def upper(t: float, df: float) -> float:
    """Return the probability that Student's t with `df` degrees of freedom is above `t`."""
    tail = 0.5 * _incomplete_beta(df / (df + t * t), df / 2, 0.5)
    return tail if t >= 0 else 1.0 - tail


def quantile(p: float, df: float) -> float:
    """Return the `p` quantile of Student's t with `df` degrees of freedom."""
    if p < 0.5:
        return -quantile(1 - p, df)
    low, high = 0.0, 1.0
    while upper(high, df) > 1 - p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if upper(middle, df) > 1 - p else (low, middle)
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by its continued fraction.

    DLMF 8.17.22, evaluated by the modified Lentz method; it converges fast below the mean.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1 / (1 + d1 / (1 + d2 / (1 + ...))) of DLMF 8.17.22."""
    value, c, d = 1.0, 1.0, 0.0
    for place in range(1, 10_000):
        m = place // 2
        if place % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + term * d)
        c = 1.0 + term / c
        value *= c * d
        if abs(1.0 - c * d) < _CONVERGED:
            break
    return 1.0 / value
