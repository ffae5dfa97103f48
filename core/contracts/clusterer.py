"""The contract of clusterers, which group vectors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Neighbours


class Clusterer(Configurable):
    """Groups the vectors of a space."""

    uses_k: ClassVar[bool] = True
    """Whether it makes k clusters; if not, it finds their number and is given the user's k only."""

    leaves_noise: ClassVar[bool] = False
    """Whether it may leave vectors without a cluster, labelled -1."""

    needed_recall: ClassVar[float | None] = None
    """The share of the true neighbours that it is to be given (see `needed_neighbours`), where the
    user names no index; None leaves that to the index."""

    @abstractmethod
    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - X as in scikit-learn
        """Return labels (n,) for X (n, d) float32; equal input, equal labels.

        Labels are 0 to k - 1; of any number from 0 on if it does not use k; -1 if it leaves noise.
        X may be memory-mapped, and must not be changed.
        """

    def needed_neighbours(self, n: int, k: int) -> int:
        """Return how many nearest neighbours of each of n vectors it wants to be given, 0 for none.

        ig4 finds them with the index that the user chose, keeps them, and calls `fit_neighbours`.
        """
        return 0

    def fit_neighbours(
        self,
        X: NDArray[np.float32],  # noqa: N803 - X as in scikit-learn
        neighbours: Neighbours,
        k: int,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return labels as `fit_predict` does, from neighbours by cosine that were found already.

        There are as many as `needed_neighbours` says; an index may miss a few of the true ones.
        """
        raise NotImplementedError
