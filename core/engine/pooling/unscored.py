"""What pools have in common that are looked at before anything is scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Neighbours


class UnscoredPoolData(ABC):
    """The part of a `PoolData` that says: no scores, no neighbours; `reader` is who is told so."""

    reader: ClassVar[str]
    scorers: tuple[str, ...] = ()
    spaces: Mapping[str, object]

    @property
    @abstractmethod
    def n(self) -> int:
        """How many samples there are."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """None: there are no scorers."""
        return np.empty(0)

    @property
    def final(self) -> NDArray[np.float64]:
        """F(x) without scorers: zeros (n,)."""
        return np.zeros(self.n)

    def raw(self, scorer: str) -> NDArray[np.float64] | None:
        """Return no scores."""
        return None

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return no scores."""
        raise UsageError(f"{scorer}: {self.reader} sees no scores")

    def has_space(self, space: str) -> bool:
        """Tell whether there are vectors of a space."""
        return space in self.spaces

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return no neighbours."""
        raise UsageError(f"{space}: {self.reader} sees no neighbours")
