"""Whether the answers of a group fit their own pictures, which no comparison within it can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups

COLUMN = "own-picture"
"""The column of scores that tells it: the percent of other pictures that fit an answer worse."""

MOST = 80.0
"""An answer fits its own picture if it fits that better than so many percent of the others."""

STANDS_OUT = 0.20
"""By how much more than of all samples the share of a group is told to be."""

_LEAST = 20  # members of a group whose share is told


@dataclass(frozen=True, slots=True)
class OwnPictureShare:
    """A group: the share (0 to 1) of its `members` whose answer does not fit its own picture.

    `pool_share` is that of all samples. Only samples that have the score are counted.
    """

    group: str
    members: int
    share: float
    pool_share: float

    @property
    def stands_out(self) -> bool:
        """Whether the group is to be looked at."""
        return self.members >= _LEAST and self.share - self.pool_share >= STANDS_OUT


def own_picture_shares(groups: Groups, percent: NDArray[np.float64]) -> tuple[OwnPictureShare, ...]:
    """Return the share of each group, the worst first; `percent` (n,) is NaN without a score.

    Groups of which no sample has a score are left out.
    """
    known = ~np.isnan(percent)
    if not known.any():
        return ()
    misfits = known & (percent < MOST)
    overall = float(misfits.sum() / known.sum())
    size = len(groups.names)
    labelled = groups.labels >= 0
    members = np.bincount(groups.labels[known & labelled], minlength=size)
    wrong = np.bincount(groups.labels[misfits & labelled], minlength=size)
    shares = [
        OwnPictureShare(groups.names[n], int(members[n]), float(wrong[n] / members[n]), overall)
        for n in np.flatnonzero(members).tolist()
    ]
    return tuple(sorted(shares, key=lambda one: (-one.share, one.group)))
