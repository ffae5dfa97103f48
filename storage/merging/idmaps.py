"""Which row of this database a row of another one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOWHERE = -1

_FIRST = -2
"""What is not here gets this id and those below it where nothing is written (`--dry-run`).

They are no row's, and fit into every column: asked for, nothing is found.
"""

_GAP, _SMALL = 16, 1 << 20
"""Ids are places in an array while it has at most so many for each id, or is at most so large."""


class IdMap:
    """Ids here by ids there, 8 bytes for each id there is; some 100 for one far from the others."""

    def __init__(self) -> None:
        self._here: NDArray[np.int64] = np.full(1024, NOWHERE, dtype=np.int64)
        self._far: dict[int, int] = {}
        self._count = 0
        self._unseen = _FIRST
        self.identical = True
        """Whether all rows so far have the id here that they have there."""

    def put(self, there: Sequence[int], here: Sequence[int]) -> None:
        """Record pairs of ids."""
        if not there:
            return
        ids, own = np.asarray(there, dtype=np.int64), np.asarray(here, dtype=np.int64)
        self._count += len(ids)
        places = _GAP * self._count + _SMALL
        near = (ids >= 0) & (ids < max(places, len(self._here)))
        if near.any():
            self._grow(int(ids[near].max()))
            self._here[ids[near]] = own[near]
        self._far |= dict(zip(ids[~near].tolist(), own[~near].tolist(), strict=True))
        self.identical = self.identical and bool(np.array_equal(ids, own))

    def unseen(self, there: Sequence[int]) -> list[int]:
        """Record ids there of what is not here, and would be added; return what stands for them."""
        here = list(range(self._unseen, self._unseen - len(there), -1))
        self._unseen -= len(there)
        self.put(there, here)
        return here

    def _grow(self, highest: int) -> None:
        if highest < len(self._here):
            return
        grown = np.full(max(highest + 1, 2 * len(self._here)), NOWHERE, dtype=np.int64)
        grown[: len(self._here)] = self._here
        self._here = grown
        for one in [one for one in self._far if 0 <= one < len(grown)]:
            grown[one] = self._far.pop(one)

    def get(self, there: int | None) -> int | None:
        """Return the id here of an id there; None where there is none."""
        if there is None:
            return None
        if not 0 <= there < len(self._here):
            return self._far.get(there)
        found = int(self._here[there])
        return None if found == NOWHERE else found

    def all(self, there: Iterable[int]) -> list[int]:
        """Return the id here of each id there, `NOWHERE` where there is none."""
        found: list[int] = self.array(np.fromiter(there, dtype=np.int64)).tolist()
        return found

    def array(self, there: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids (n,) here of ids (n,) there, `NOWHERE` where there is none."""
        near = (there >= 0) & (there < len(self._here))
        found = np.full(len(there), NOWHERE, dtype=np.int64)
        found[near] = self._here[there[near]]
        if self._far:
            found[~near] = [self._far.get(one, NOWHERE) for one in there[~near].tolist()]
        return found
