"""Which score a selector that needs one reads: F(x), or the values of one scorer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs
from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

FINAL = "final"


def score_needs(score: str) -> Needs:
    """Return what has to be declared for a score: all scorers for `final`, else the one named."""
    return Needs(scores=True) if score == FINAL else Needs(columns=(score,))


def score_values(pool: Pool, score: str, selector: str) -> NDArray[np.float64]:
    """Return a score (n,) of each row.

    Raises:
        UsageError: some rows have none.
    """
    if score == FINAL:
        return pool.final
    values = pool.raw(score)
    gaps = int(np.isnan(values).sum())
    if gaps:
        raise UsageError(
            f"selector {selector}: {counted(gaps, 'sample')} of {pool.n:,} have no score {score}; "
            f"score them (`ig4 score --scorers {score}`), or name another score"
        )
    return values
