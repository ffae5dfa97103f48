"""Numbers clusters so that equal partitions have equal labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_first_member(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels (n,) renumbered from 0 in the order in which clusters first appear."""
    _, first, member_of = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[member_of]
