"""Which row of this database a row of another one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOWHERE = -1

UNSEEN = 1 << 40
"""What is not here gets ids from here on where nothing is written (`--dry-run`)."""


class IdMap:
    """Ids here by ids there, 8 bytes for each id there is."""

    def __init__(self) -> None:
        self._here: NDArray[np.int64] = np.full(1024, NOWHERE, dtype=np.int64)
        self.identical = True
        """Whether all rows so far have the id here that they have there."""

    def put(self, there: Sequence[int], here: Sequence[int]) -> None:
        """Record pairs of ids."""
        if not there:
            return
        ids, own = np.asarray(there, dtype=np.int64), np.asarray(here, dtype=np.int64)
        highest = int(ids.max())
        if highest >= len(self._here):
            grown = np.full(max(highest + 1, 2 * len(self._here)), NOWHERE, dtype=np.int64)
            grown[: len(self._here)] = self._here
            self._here = grown
        self._here[ids] = own
        self.identical = self.identical and bool(np.array_equal(ids, own))

    def get(self, there: int | None) -> int | None:
        """Return the id here of an id there; None where there is none."""
        if there is None or not 0 <= there < len(self._here):
            return None
        found = int(self._here[there])
        return None if found == NOWHERE else found

    def all(self, there: Iterable[int]) -> list[int]:
        """Return the id here of each id there, `NOWHERE` where there is none."""
        found: list[int] = self.array(np.fromiter(there, dtype=np.int64)).tolist()
        return found

    def array(self, there: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids (n,) here of ids (n,) there, `NOWHERE` where there is none."""
        known = (there >= 0) & (there < len(self._here))
        found = np.full(len(there), NOWHERE, dtype=np.int64)
        found[known] = self._here[there[known]]
        return found
