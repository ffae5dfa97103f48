"""What clusterers share: the check of k, and how clusters are numbered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_first_member(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels (n,) renumbered from 0 in the order in which clusters first appear."""
    _, first, member_of = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[member_of]


def check_k(k: int, n: int) -> None:
    """Check that n images can form k clusters.

    Raises:
        UsageError: k is below 1 or above n.
    """
    if not 1 <= k <= n:
        raise UsageError(
            f"cannot form {counted(k, 'cluster')} of {counted(n, 'image')}: choose k from 1 to {n}"
        )
