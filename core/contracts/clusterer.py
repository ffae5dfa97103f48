"""The contract of clusterers, which group vectors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Clusterer(Configurable):
    """Groups the vectors of a space."""

    uses_k: ClassVar[bool] = True
    """Whether it makes k clusters; if not, it finds their number and is given the user's k only."""

    leaves_noise: ClassVar[bool] = False
    """Whether it may leave vectors without a cluster, labelled -1."""

    @abstractmethod
    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - X as in scikit-learn
        """Return labels (n,) for X (n, d) float32; equal input, equal labels.

        Labels are 0 to k - 1; of any number from 0 on if it does not use k; -1 if it leaves noise.
        """
