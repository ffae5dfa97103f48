"""The baseline that every other selector has to beat: a uniformly random choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.contracts import Needs, Selector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


class Random(Selector):
    """Draws samples without replacement; the same seed draws the same ones."""

    def needs(self) -> Needs:
        """Nothing: neither scores nor clusters."""
        return Needs()

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return random rows in the order drawn; see Selector.choose."""
        return pool.rng().choice(pool.n, size=pool.size, replace=False)
