"""What weights are worth: a score that hardly varies decides nothing, however much it weighs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.percent import squarable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EffectiveWeight:
    """A scorer in F(x) = sum of weight x score.

    `spread` is the standard deviation of its percents, `effective` weight x spread, `share` its
    part of the sum of all |effective| (0 to 1), `correlation` that of its percents with F (Pearson;
    None where one of them does not vary).
    """

    weight: float
    spread: float
    effective: float
    share: float
    correlation: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def effective_weights(
    names: Sequence[str],
    percent: NDArray[np.float64],
    weights: NDArray[np.float64],
    final: NDArray[np.float64],
) -> dict[str, EffectiveWeight]:
    """Return by scorer what its weight is worth among samples of `percent` (n, m), `final` (n,).

    Only samples that have all scores are looked at.
    """
    whole = ~np.isnan(percent).any(axis=1)
    percent, final = percent[whole], final[whole]
    spreads = np.array([_spread(column) for column in percent.T])
    effective = weights * spreads
    shares = np.abs(squarable(effective))
    total = float(shares.sum())
    return {
        name: EffectiveWeight(
            float(weights[n]),
            float(spreads[n]),
            float(effective[n]),
            float(shares[n] / total) if total > 0 else 0.0,
            correlation(percent[:, n], final),
        )
        for n, name in enumerate(names)
    }


def _spread(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of values (n,), however large they are."""
    if not len(values):
        return 0.0
    near = squarable(values)
    return float(near.std()) * (1.0 if near is values else float(np.abs(values).max()))


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation of two columns (n,); None where one does not vary."""
    if len(first) < 2:
        return None
    a, b = squarable(first), squarable(second)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return None if size <= 1e-12 else float((a * b).sum() / size)


def differ_in_order(weights: dict[str, EffectiveWeight]) -> bool:
    """Tell whether weights and what they are worth put the scorers into different orders.

    Equal weights are in no order, so that nothing can differ from it.
    """
    given = list(weights.values())
    return any(
        abs(a.weight) > abs(b.weight) and abs(a.effective) < abs(b.effective)
        for a in given
        for b in given
    )
