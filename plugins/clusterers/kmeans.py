"""k-means with the k-means++ start, in mini-batches for large sets."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Clusterer
from ig4.plugins.clusterers.labels import by_first_member, check_k

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class KMeansOptions(contracts.Options):
    """Options of the clusterer `kmeans`."""

    n_init: int = Field(10, ge=1, description="Number of starts; the best result is kept.")
    max_iter: int = Field(300, ge=1, description="Maximum number of steps from one start.")
    minibatch_above: int = Field(
        50_000, ge=0, description="Above this number of images, mini-batch k-means is used."
    )


class KMeans(Clusterer):
    """scikit-learn's KMeans or MiniBatchKMeans (Arthur & Vassilvitskii 2007; Sculley 2010)."""

    version = "1"
    Options = KMeansOptions
    options: KMeansOptions

    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - the contract's names
        """Return labels (n,) for X (n, d); see Clusterer.fit_predict.

        Raises:
            UsageError: k is above n.
        """
        from sklearn.cluster import KMeans as Plain
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning

        check_k(k, len(X))
        options = {
            "n_clusters": k,
            "init": "k-means++",
            "n_init": self.options.n_init,
            "max_iter": self.options.max_iter,
            "random_state": seed,
        }
        if len(X) > self.options.minibatch_above:
            model = MiniBatchKMeans(**options, batch_size=4096)
        else:
            model = Plain(**options)
        with warnings.catch_warnings():
            # With fewer distinct images than clusters some stay empty, which is not an error.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return by_first_member(model.fit_predict(X))
