"""The score that a selector goes by, and orders of rows, as pure functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs
from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups, Pool

FINAL = ""
"""The name of a score that stands for F(x), all scores that count together."""

FINAL_TOLD = "by default the final score F(x) of all that count"


def needs_score(score: str) -> Needs:
    """Return what a selector needs to go by a score: F(x), or a column of its own unit."""
    return Needs(scores=True) if score == FINAL else Needs(columns=(score,))


def score_of(pool: Pool, score: str) -> NDArray[np.float64]:
    """Return the score (n,) to go by, without gaps.

    Raises:
        UsageError: samples lack it.
    """
    values = pool.final if score == FINAL else pool.raw(score)
    missing = int(np.isnan(values).sum())
    if missing:
        raise UsageError(
            f"{counted(missing, 'sample')} of the pool have no {score or 'final'} score: run "
            f"`ig4 score --retry-failed`, or go by another score"
        )
    return values


def members_of(groups: Groups) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the groups of each row as `Groups.members` has them, where rows have one each, too."""
    if groups.members is not None:
        return groups.members
    belongs = groups.labels >= 0
    return np.concatenate([[0], np.cumsum(belongs)]).astype(np.int64), groups.labels[belongs]


def double_ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 2 x below + equal for each of values (n,): its middle rank, doubled to be whole."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    doubled: NDArray[np.int64] = (2 * np.cumsum(counts) - counts)[place.reshape(-1)]
    return doubled


def middle_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank (n,) of each of values as a share from 0 to 1; equal ones share theirs."""
    return double_ranks(values) / (2.0 * len(values))
