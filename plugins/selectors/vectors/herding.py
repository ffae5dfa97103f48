"""The selector `herding`: samples that are spread as the pool is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.herding import HerdingKernel, KernelName, herding
from ig4.plugins.selectors.greedy.picks import Picks
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, reasons_of_picks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class HerdingOptions(contracts.Options):
    """Options of the selector `herding`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    kernel: KernelName = Field(
        "gaussian",
        description="gaussian = exp(-squared distance / (2 width^2)), or linear, of vectors of "
        "length 1.",
    )
    width: float = Field(1.0, gt=0, description="Of the kernel gaussian (gamma in COINCIDE).")
    reference: int = Field(
        20_000,
        ge=1,
        description="The pool is represented by at most so many samples, drawn by the seed where "
        "it has more; kernel linear always takes all.",
    )


class Herding(ExplainedSelector[Picks]):
    """Takes, again and again, the sample that leaves the least MMD^2 between taken and pool."""

    version = "1"
    Options = HerdingOptions
    options: HerdingOptions

    def needs(self) -> Needs:
        """The space."""
        return Needs(spaces=(self.options.space,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Take the rows one after another."""
        chosen = self.options
        kernel = HerdingKernel(pool.unit_vectors(chosen.space), chosen.kernel, chosen.width)
        reference = np.arange(pool.n)
        if chosen.kernel == "gaussian" and pool.n > chosen.reference:
            reference = np.sort(pool.rng().choice(pool.n, chosen.reference, replace=False))
        return herding(kernel, pool.size, reference)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the place of a row and its worth, or the taken row that it is most like."""
        return reasons_of_picks(self.found(pool), row, pool.unit_vectors(self.options.space))
