"""The base of selectors that choose row after row, and can say afterwards what they saw."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ig4.core.contracts import Selector
from ig4.plugins.selectors.greedy.picks import Picks, dots, zero_to_one

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core import contracts
    from ig4.core.contracts import Pool
    from ig4.core.records import JSON

R = TypeVar("R")


class ExplainedSelector(Selector, Generic[R]):
    """Keeps what it found in the pool that it saw last, so that `reasons` need not choose again."""

    def __init__(self, options: contracts.Options) -> None:
        super().__init__(options)
        self._seen: tuple[Pool, R] | None = None

    @abstractmethod
    def run(self, pool: Pool) -> R:
        """Choose, and return all that `reasons` tells of."""

    def found(self, pool: Pool) -> R:
        """Return what `run` found in a pool; it runs once for each."""
        if self._seen is None or self._seen[0] is not pool:
            self._seen = (pool, self.run(pool))
        return self._seen[1]

    def close(self) -> None:
        """Forget the pool."""
        self._seen = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_seen": None}


def reasons_of_picks(
    picks: Picks, row: int, unit: NDArray[np.float32] | None, **further: JSON
) -> Mapping[str, JSON]:
    """Return place and gain of a row that was taken; else the taken row that it is most like.

    A key that ends in `_row` has a row of the pool.
    """
    place = picks.place(row)
    if place is not None:
        return {"place": place + 1, "gain": finite(picks.gains[place]), **further}
    if unit is None or not len(picks.rows):
        return further
    cosines = dots(unit[picks.rows], unit[row])
    at = int(np.argmax(cosines))
    nearest = {"nearest_row": int(picks.rows[at]), "similarity": finite(cosines[at])}
    return {**nearest, **further}


def finite(value: float | np.floating) -> float | None:
    """Return a number that JSON can hold: infinities and NaN have none."""
    return float(value) if np.isfinite(value) else None


def quality_of(pool: Pool) -> NDArray[np.float64]:
    """Return the final scores of a pool, (n,), stretched from 0 to 1."""
    return zero_to_one(pool.final)
