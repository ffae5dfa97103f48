"""Ridge regression: coefficients, what they predict of rows left out, and intervals.

Columns are standardised (mean 0, deviation 1), the intercept is not penalised, and a penalty is in
units of the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.statistics.resampling import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

PENALTIES: tuple[float, ...] = tuple(float(10**power) for power in np.linspace(-4.0, 3.0, 29))
"""The penalties to choose from: from none to speak of to one that leaves no coefficient."""

RESAMPLES = 2_000
_NOTHING = 1e-6  # the penalty of an unpenalised fit: columns that say the same share the effect


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFit:
    """Coefficients (m,) by unit of the columns' deviation, and how well they do.

    `r2` is the share of the variance of y that is explained, `predicted_r2` that of rows that were
    left out (below 0: worse than the mean of the others). `p` is the share of shuffles of y, of
    which as much can be predicted.
    """

    coefficients: Values
    penalty: float
    r2: float
    predicted_r2: float
    p: float


def standardised(x: Values) -> Values:
    """Return the columns of x (n, m) with mean 0 and deviation 1; equal values become 0."""
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.maximum(1.0, np.abs(x).max(axis=0, initial=0.0))
    result: Values = (x - x.mean(axis=0)) / np.where(constant, 1.0, spread)
    return np.where(constant, 0.0, result)


def coefficients(z: Values, y: Values, penalty: float) -> Values:
    """Return b (m,) that minimises |y - a - z b|^2 + n penalty |b|^2, with a free intercept a."""
    centred = z - z.mean(axis=0)
    gram = centred.T @ centred + penalty * len(z) * np.eye(z.shape[1])
    solved: Values = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    return solved


def left_out_errors(z: Values, y: Values, penalties: tuple[float, ...] = PENALTIES) -> Values:
    """Return (p, n, ...): by penalty, how far each row is from what the other rows predict of it.

    y is (n,) or (n, r), several outcomes at once. Exact, from one decomposition: a row's error in
    the fit of all, divided by 1 - its leverage (Allen 1974).
    """
    n = len(z)
    u, s, _ = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    centred = y - y.mean(axis=0)
    projected = u.T @ centred
    errors = np.empty((len(penalties), *y.shape))
    for number, penalty in enumerate(penalties):
        kept = s**2 / (s**2 + penalty * n)
        rest = 1.0 - 1.0 / n - np.square(u) @ kept
        shape = (n,) + (1,) * (y.ndim - 1)
        fitted = u @ (kept.reshape((-1,) + (1,) * (y.ndim - 1)) * projected)
        errors[number] = (centred - fitted) / np.maximum(rest, 1e-12).reshape(shape)
    return errors


def chosen_penalty(z: Values, y: Values) -> float:
    """Return the penalty that predicts left-out rows best; of equal ones the largest."""
    squares = np.square(left_out_errors(z, y)).sum(axis=1)
    best = len(squares) - 1 - int(np.argmin(squares[::-1]))
    return PENALTIES[best]


def fit_ridge(x: Values, y: Values, *, shuffles: int = RESAMPLES, seed: int = 42) -> RidgeFit:
    """Regress y (n,) on the columns of x (n, m), n of 4 or more."""
    z = standardised(x)
    penalty = chosen_penalty(z, y)
    found = coefficients(z, y, penalty)
    total = float(np.square(y - y.mean()).sum())
    rest = float(np.square(y - y.mean() - z @ found).sum())
    r2 = 1.0 - rest / total if total > 0 else 0.0
    return RidgeFit(found, penalty, r2, predicted_r2(x, y), shuffle_p(z, y, shuffles, seed))


def predicted_r2(x: Values, y: Values) -> float:
    """Return 1 - squared errors of left-out rows / those of the mean of the other rows.

    Each row is predicted by a regression in which it had no part: neither in the coefficients, nor
    in the penalty, nor in what columns are scaled by.
    """
    n = len(y)
    errors = np.empty(n)
    for row in range(n):
        others = np.arange(n) != row
        spread = x[others].std(axis=0)
        z = standardised(x[others])
        found = coefficients(z, y[others], chosen_penalty(z, y[others]))
        place = (x[row] - x[others].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        errors[row] = y[row] - y[others].mean() - place @ found
    base = (y - y.mean()) * n / (n - 1)
    total = float(np.square(base).sum())
    return 1.0 - float(np.square(errors).sum()) / total if total > 0 else 0.0


def shuffle_p(z: Values, y: Values, shuffles: int = RESAMPLES, seed: int = 42) -> float:
    """Return how often as much of shuffled values y can be predicted of left-out rows.

    A permutation test (Fisher); the order that was found counts as one, so that p is never 0.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.repeat(y[:, None], shuffles, axis=1), axis=0)
    errors = np.square(left_out_errors(z, np.column_stack([y, shuffled]))).sum(axis=1)
    best = errors.min(axis=0)
    as_good = int(np.count_nonzero(best[1:] <= best[0] * (1 + 1e-12)))
    return (1 + as_good) / (1 + shuffles)


def effect_intervals(
    x: Values, y: Values, *, resamples: int = RESAMPLES, seed: int = 42
) -> tuple[Values, Values]:
    """Return unpenalised effects (m,), and their bootstrap intervals (m, 2), of 95 %.

    Rows are drawn with replacement. Without a penalty: one pulls every resample towards 0, and the
    interval away from the truth. Intervals are widened by sqrt(n / (n - m - 1)), as the fit has
    used up so many degrees of freedom; without that they are too short where rows are few.
    """
    z = standardised(x)
    n, m = z.shape
    # How often each row is drawn is all that matters: the sums of all resamples are one product.
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    sums, total = times @ z, times @ y
    squares = (times @ (z[:, :, None] * z[:, None, :]).reshape(n, m * m)).reshape(-1, m, m)
    gram = squares - sums[:, :, None] * sums[:, None, :] / n + _NOTHING * n * np.eye(m)
    moment = times @ (z * y[:, None]) - sums * (total / n)[:, None]
    drawn = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
    tail = (1 - CONFIDENCE) / 2
    effects = coefficients(z, y, _NOTHING)
    ends = np.quantile(drawn, (tail, 1 - tail), axis=0) - effects
    wider = np.sqrt(n / max(1, n - m - 1))
    return effects, effects[:, None] + wider * ends.T
