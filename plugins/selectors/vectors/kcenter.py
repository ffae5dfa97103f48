"""The selector `k-center`: no sample of the pool is far from all that are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.kcenter import (
    farthest_from_the_middle,
    k_center,
    nearest_to_the_middle,
)
from ig4.plugins.selectors.greedy.picks import Picks, squared_distances
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class KCenterOptions(contracts.Options):
    """Options of the selector `k-center`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    distance: Literal["euclidean", "cosine"] = Field(
        "euclidean",
        description="Distance of two vectors as they are, or of vectors brought to length 1 "
        "(which orders as the cosine does).",
    )
    first: Literal["first", "middle", "random"] = Field(
        "first",
        description="Where to begin: with the first sample, with the one nearest to the mean, or "
        "with a drawn one.",
    )
    outliers: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the samples, those farthest from the mean, that are taken only when "
        "no others are left.",
    )


class KCenter(ExplainedSelector[Picks]):
    """Takes, again and again, the sample farthest from those taken (Gonzalez 1985)."""

    version = "1"
    Options = KCenterOptions
    options: KCenterOptions

    def needs(self) -> Needs:
        """The space."""
        return Needs(spaces=(self.options.space,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the centres in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Take the centres one after another."""
        if pool.size == 0:
            return Picks(np.empty(0, dtype=np.int64), np.empty(0))
        points = self._points(pool)
        late = None
        if self.options.outliers:
            late = farthest_from_the_middle(points, self.options.outliers)
        return k_center(points, pool.size, self._first(pool, points, late), late)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the distance of a row from the centres when it was taken, or from the nearest."""
        picks = self.found(pool)
        place = picks.place(row)
        if place is not None:
            return {"place": place + 1, "distance": finite(picks.gains[place])}
        points = self._points(pool)
        apart = squared_distances(points[picks.rows], points[row])
        if not len(apart):
            return {}
        at = int(np.argmin(apart))
        return {"nearest_row": int(picks.rows[at]), "distance": finite(np.sqrt(apart[at]))}

    def _points(self, pool: Pool) -> NDArray[np.float32]:
        space = self.options.space
        return (
            pool.unit_vectors(space) if self.options.distance == "cosine" else pool.vectors(space)
        )

    def _first(
        self, pool: Pool, points: NDArray[np.float32], late: NDArray[np.bool_] | None
    ) -> int:
        usual = np.arange(pool.n) if late is None else np.flatnonzero(~late)
        if self.options.first == "random":
            return int(pool.rng().choice(usual))
        if self.options.first == "middle":
            return int(usual[nearest_to_the_middle(points[usual])])
        return int(usual[0])
