"""How far a column of values can tell rows apart at all: how many differ, how many are equal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Saturation:
    """The spread of a column of values, in its own unit.

    `distinct` counts different values. `equal` is the share (0 to 1) of rows that have the most
    frequent one, `at_least` and `at_most` the shares that have the least and the greatest one.
    """

    distinct: int
    equal: float
    at_least: float
    at_most: float
    minimum: float
    mean: float
    maximum: float
    deviation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def saturation(values: NDArray[np.float64]) -> Saturation | None:
    """Return the spread of finite values (n,); None where there is none."""
    n = len(values)
    if n == 0:
        return None
    different, counts = np.unique(values, return_counts=True)
    low, high = float(different[0]), float(different[-1])
    # Divided first: the square of a huge value must not overflow.
    scale = max(abs(low), abs(high), 1.0)
    scaled = values / scale
    return Saturation(
        distinct=len(different),
        equal=float(counts.max() / n),
        at_least=float(counts[0] / n),
        at_most=float(counts[-1] / n),
        minimum=low,
        mean=float(scaled.mean()) * scale,
        maximum=high,
        deviation=float(scaled.std()) * scale if len(different) > 1 else 0.0,
    )
