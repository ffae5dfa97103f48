"""The baseline that every other selector has to beat: a uniformly random choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Selector

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Random(Selector):
    """Draws samples without replacement; the same seed draws the same ones."""

    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return `size` random rows in the order drawn; see Selector.select."""
        return np.random.default_rng(seed).choice(len(percent), size=size, replace=False)
