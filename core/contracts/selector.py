"""The contract of selectors, which choose samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts.needs import Needs
from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Groups, Pool
    from ig4.core.records import JSON


class Selector(Configurable):
    """Chooses samples: `choose` and `needs`; `select` is what API 1 had in their place."""

    needs_clusters: ClassVar[bool] = False
    """API 1: whether `select` uses `labels`."""

    def needs(self) -> Needs:
        """Return what `choose` reads of the pool, with these options.

        By default what API 1 had: the scores, and the clusters if `needs_clusters`.
        """
        return Needs(scores=True, clusters=self.needs_clusters)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return `pool.size` distinct rows of the pool, best first.

        Equal pools give equal rows; random numbers come from `pool.seed` alone, and ties go to the
        lower row. By default `select` of API 1 is asked.

        Raises:
            UsageError: the pool does not allow what the options ask for.
        """
        labels = pool.clusters if pool.needs.clusters else _no_clusters(pool.n)
        return self.select(pool.percents, labels, pool.size, pool.weights, pool.seed)

    def quotas(self, pool: Pool) -> NDArray[np.int64] | None:
        """Return how many rows the group of each row (n,) could give; None if none are dealt.

        It is stored with the samples that `choose` took of this pool.
        """
        return None

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON] | None:
        """Return why `choose` took a row of this pool or did not, in named values; None if unknown.

        `ig4 select --explain` prints those that are not None. A key that ends in `_row` (a row of
        the pool, or None) or `_rows` (a list of rows) stands for samples: their ids are printed,
        under the key without that end, as `nearest: s12` for `nearest_row`. A list of sentences
        under `rejected_by` says what has to go before the row could be taken; `group`, where one
        grouper is read, is the name of the row's group in it, and `quota` what that is given.
        """
        return None

    def rejections(self, pool: Pool) -> Groups | None:
        """Return which of its own rules rejects each row of this pool; None if it has none.

        The names are the rules, in words that complete "left out: …" and quote nothing of the data,
        and a row that no rule rejects has the label -1. Rows that a rule rejects may be taken all
        the same, where there are too few others.
        """
        return None

    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return `size` distinct row indices, best first (API 1; API 2 has `choose`).

        `percent` is (n, m) float64 on the 0-100 scale, one column for each scorer, without
        gaps; `labels` (n,); `weights` (m,). Equal input gives equal output, ties go to the
        lower row.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither choose nor select")


def _no_clusters(n: int) -> NDArray[np.int64]:
    import numpy as np

    return np.zeros(n, dtype=np.int64)
