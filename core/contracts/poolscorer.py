"""The contract of pool scorers, whose value for a sample depends on the other samples."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ig4.core.contracts.needs import Needs
from ig4.core.contracts.scorer import Indicator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Pool


class PoolScorer(Indicator):
    """Rates all samples of a pool at once: density, leverage, what fits everything.

    Declare it as a component of kind "scorer". Its values are stored with the digest of the pool;
    ig4 tells when the pool has changed since.
    """

    @abstractmethod
    def needs(self) -> Needs:
        """Return what `score_pool` reads of the pool, with these options."""

    @abstractmethod
    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return a value (n,) float64 for each row; NaN where it can give none.

        Rows in another order give the same values in that order, and equal samples equal values.
        `pool.size` is `pool.n`; one row alone is a pool, too.

        Raises:
            UsageError: the pool does not allow what the options ask for.
        """
