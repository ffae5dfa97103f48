"""Chooses samples that are far from each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ig4.core.contracts import Needs, Options, Pool, Selector
from ig4.core.records import JSON


class FarApartOptions(Options):
    """Where samples are far from each other."""

    space: str = Field("clip", description="The space of the vectors.")


class FarApart(Selector):
    """Farthest-first traversal (Gonzalez 1985), from the first sample on."""

    version = "1"
    Options = FarApartOptions
    options: FarApartOptions

    def needs(self) -> Needs:
        """A space; no scores, so it works on a data set without any."""
        return Needs(spaces=(self.options.space,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Take the sample that is farthest from all that are taken, again and again."""
        unit = pool.unit_vectors(self.options.space)
        taken = [0]
        nearest = unit @ unit[0]
        while len(taken) < pool.size:
            nearest[taken] = np.inf
            taken.append(int(nearest.argmin()))
            nearest = np.maximum(nearest, unit @ unit[taken[-1]])
        return np.array(taken)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Tell how near the nearest taken sample is."""
        unit = pool.unit_vectors(self.options.space)
        others = np.setdiff1d(self.choose(pool), [row])
        return {"nearest_taken": round(float((unit[others] @ unit[row]).max(initial=-1)), 4)}
