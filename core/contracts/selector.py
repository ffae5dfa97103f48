"""The contract of selectors, which choose samples."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Selector(Configurable):
    """Chooses samples."""

    needs_clusters: ClassVar[bool] = False
    """Whether `select` uses `labels`; if not, `ig4 run` need not cluster."""

    @abstractmethod
    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return `size` distinct row indices, best first.

        `percent` is (n, m) float64 on the 0-100 scale, one column for each scorer, without
        gaps; `labels` (n,); `weights` (m,). Equal input gives equal output, ties go to the
        lower row.
        """
