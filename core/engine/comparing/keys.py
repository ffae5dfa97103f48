"""What the samples of two selections are known by: their ids, or the contents of two data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.comparing.sides import ComparedSide
    from ig4.core.engine.selecting.draft import SelectionDraft


@dataclass(frozen=True, slots=True)
class SideKeys:
    """The keys of one side: `all` (n,) of its data set, distinct and ascending, and `samples` (n,),
    the first sample of each.

    `chosen` (m,) are those of the selection, distinct, best first, and `places` (m,) where each
    first stands among its items.
    """

    all: NDArray[np.int64]
    samples: NDArray[np.int64]
    chosen: NDArray[np.int64]
    places: NDArray[np.int64]
    by_content: bool

    def candidates(self, draft: SelectionDraft | None) -> NDArray[np.int64]:
        """Return the keys that the selection was chosen from; all where that is not known."""
        if draft is None:
            return self.all
        table = draft.table
        return np.unique(table.contents if self.by_content else table.sample_ids)

    def samples_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first sample of each key in the data set, -1 where it holds none."""
        if not len(self.all):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self.all, keys), len(self.all) - 1)
        return np.where(self.all[at] == keys, self.samples[at], -1)


def keys_of(side: ComparedSide, *, by_content: bool) -> SideKeys:
    """Return the keys of a side; what it has twice counts at its best rank."""
    known, first = np.unique(side.contents if by_content else side.ids, return_index=True)
    chosen = np.array(
        [item.content_id if by_content else item.sample_id for item in side.items], dtype=np.int64
    )
    _, places = np.unique(chosen, return_index=True)
    places = np.sort(places)
    return SideKeys(known, side.ids[first], chosen[places], places, by_content)
