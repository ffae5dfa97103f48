"""MetaCLIP's balancing: samples of frequent labels are thinned out, those of rare ones kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.core.counts import counted, verb
from ig4.plugins.selectors.ranking import members_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class MetaClipOptions(contracts.Options):
    """Options of the selector `metaclip`."""

    groups: str = Field(
        "form", min_length=1, description="The grouping whose groups are the entries; a sample "
        "may have several.",
    )  # fmt: skip


class MetaClip(Selector):
    """Xu and others, ICLR 2024 (arXiv 2309.16671): keep with max over entries of min(1, t / count).

    A sample with random number r is kept if r < t / c, with c the count of its rarest entry, so
    that it is kept as soon as t reaches r c: the `size` least r c are the selection, and t is
    solved for exactly. Samples without an entry are kept only where the others do not suffice.
    """

    version = "1"
    Options = MetaClipOptions
    options: MetaClipOptions

    def needs(self) -> Needs:
        """Return the groups."""
        return Needs(groups=(self.options.groups,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows drawn, those that the smallest t would keep first."""
        kept_from = self._kept_from(pool)
        rows = np.lexsort((pool.rng().random(pool.n), kept_from))[: pool.size]
        without = int(np.isinf(kept_from[rows]).sum())
        if without:
            pool.tell(
                f"metaclip: {counted(without, 'sample')} of {pool.size:,} "
                f"{verb(without, 'is', 'are')} in no group of {self.options.groups}, and "
                f"{verb(without, 'was', 'were')} drawn as there are too few others: select fewer"
            )
        return rows

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the count of the rarest entry, t, and the probability to be kept."""
        rarest, kept_from = self._rarest(pool)[row], self._kept_from(pool)
        t = float(np.partition(kept_from, pool.size - 1)[pool.size - 1])
        if not np.isfinite(rarest):
            return {"rarest": None}
        if not np.isfinite(t):  # all that have an entry are kept
            return {"rarest": int(rarest), "probability": 1.0}
        return {"rarest": int(rarest), "t": t, "probability": min(1.0, t / float(rarest))}

    def _kept_from(self, pool: Pool) -> NDArray[np.float64]:
        """Return the t (n,) from which each row is kept; infinite without an entry."""
        return pool.rng().random(pool.n) * self._rarest(pool)

    def _rarest(self, pool: Pool) -> NDArray[np.float64]:
        """Return how many rows have the rarest entry of each row (n,)."""
        groups = pool.groups(self.options.groups)
        starts, ids = members_of(groups)
        rarest = np.full(pool.n, np.inf)
        rows = np.repeat(np.arange(pool.n), np.diff(starts))
        np.minimum.at(rarest, rows, groups.counts[ids].astype(np.float64))
        return rarest
