"""The contract of pool embedders, whose space is fitted to the samples of a pool."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ig4.core.contracts.needs import Needs
from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Pool


class PoolEmbedder(Configurable):
    """Turns the samples of a pool into vectors that depend on all of them: TF-IDF, PCA.

    Declare it as a component of kind "embedder".
    """

    @abstractmethod
    def needs(self) -> Needs:
        """Return what `embed_pool` reads of the pool, with these options."""

    @abstractmethod
    def embed_pool(self, pool: Pool) -> NDArray[np.float32]:
        """Return (n, d) float32 for the rows of a pool; equal pools give equal vectors.

        A row without a vector, such as one of an empty text, is NaN. The pool is a whole data set,
        before it is scored: of `needs`, samples, meta and spaces can be had.

        Raises:
            UsageError: the pool does not allow what the options ask for.
        """
