"""AlpaGasus: what a model rated well enough, and of that the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.core.errors import UsageError
from ig4.plugins.selectors.ranking import score_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


class AlpaGasusOptions(contracts.Options):
    """Options of the selector `alpagasus`."""

    rating: str = Field("gpt", min_length=1, description="The scorer whose ratings decide.")
    threshold: float = Field(
        90.0, description="The least rating that is taken, in the scorer's unit: 4.5 of 5 in the "
        "paper, which is 90 of 100.",
    )  # fmt: skip


class AlpaGasus(Selector):
    """Chen and others, ICLR 2024 (arXiv 2307.08701): ratings of at least a threshold.

    Of more than are wanted, those with the best ratings; of equal ratings, as there are many,
    those with the best final score F(x).
    """

    version = "1"
    Options = AlpaGasusOptions
    options: AlpaGasusOptions

    def needs(self) -> Needs:
        """Return the ratings, and the scores that break ties."""
        return Needs(scores=True, columns=(self.options.rating,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the best rated rows, best first; see Selector.choose.

        Raises:
            UsageError: fewer than `pool.size` reach the threshold.
        """
        ratings = score_of(pool, self.options.rating)
        good = np.flatnonzero(ratings >= self.options.threshold)
        if len(good) < pool.size:
            raise UsageError(
                f"alpagasus: {len(good):,} of {pool.n:,} samples have a {self.options.rating} "
                f"rating of at least {self.options.threshold:g}, and {pool.size:,} are wanted: "
                "lower the option threshold, or select fewer"
            )
        return good[np.lexsort((good, -pool.final[good], -ratings[good]))][: pool.size]
