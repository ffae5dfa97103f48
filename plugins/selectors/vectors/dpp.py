"""The selector `dpp`: the samples whose vectors span the greatest volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.core.errors import UsageError
from ig4.plugins.selectors.greedy.dpp import DppPicks, Kernel, KernelName, determinantal
from ig4.plugins.selectors.greedy.picks import Picks
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, quality_of, reasons_of_picks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON

_MOST_BYTES = 16 << 30


class DppOptions(contracts.Options):
    """Options of the selector `dpp`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    kernel: KernelName = Field(
        "cosine",
        description="How alike two samples are: cosine, shifted-cosine = (1 + cosine) / 2, or rbf "
        "= exp(-gamma x squared distance), each of vectors of length 1.",
    )
    gamma: float = Field(1.0, gt=0, description="Of the kernel rbf.")
    quality: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Weight (theta) of the final score beside volume: L = diag(q) S diag(q) with q "
        "= exp(theta / (2 (1 - theta)) x score); at 0 no scores are needed.",
    )


class Dpp(ExplainedSelector[DppPicks]):
    """Greedy MAP inference of a determinantal point process (Chen, Zhang & Zhou 2018)."""

    version = "1"
    Options = DppOptions
    options: DppOptions

    def needs(self) -> Needs:
        """The space, and scores if they count."""
        return Needs(scores=self.options.quality > 0, spaces=(self.options.space,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose.

        Raises:
            UsageError: the factors of the kernel would take more than 16 GiB.
        """
        return self.found(pool).rows

    def run(self, pool: Pool) -> DppPicks:
        """Take the rows one after another."""
        chosen = self.options
        quality = np.ones(pool.n)
        if chosen.quality > 0:
            quality = np.exp(chosen.quality / (2 * (1 - chosen.quality)) * quality_of(pool))
        kernel = Kernel(pool.unit_vectors(chosen.space), quality, chosen.kernel, chosen.gamma)
        needed = min(kernel.rank, pool.size) * pool.n * 8
        if needed > _MOST_BYTES:
            raise UsageError(
                f"selector dpp: {pool.size:,} of {pool.n:,} samples would take "
                f"{needed / 2**30:.0f} GiB of memory with kernel {chosen.kernel}; use kernel "
                "cosine, a smaller size, or selector facility-location"
            )
        return determinantal(kernel, pool.size)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return place, log of the volume added, and round of a row, or the taken row like it."""
        found = self.found(pool)
        picks = Picks(found.rows, found.gains)
        unit = pool.unit_vectors(self.options.space)
        place = picks.place(row)
        if place is None:
            return reasons_of_picks(picks, row, unit)
        number = int(found.rounds[place])
        return reasons_of_picks(picks, row, unit, round=number + 1 if number >= 0 else None)
