"""One sample before the selector, with all that its explanation is read from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Needs, Pool, Selector
from ig4.core.engine.pooling.pooldata import CountedScores, StoredPoolData
from ig4.core.engine.selecting.draft import chosen_rows, pool_settings
from ig4.core.errors import PluginError
from ig4.storage import samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ig4.core.engine.selecting.candidates import CandidateTable, SelectionRequest
    from ig4.core.engine.selecting.draft import SelectionDraft
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class ExplainedDraft:
    """A draft of a selection, of which samples are explained."""

    session: Session
    dataset: DatasetRow
    request: SelectionRequest
    draft: SelectionDraft

    @property
    def table(self) -> CandidateTable:
        """The candidates."""
        return self.draft.table

    def selector(self) -> Selector:
        """Return the selector, made anew: what it remembers of one pool is not that of another."""
        return cast("Selector", self.session.configured(self.request.selector).component)

    def pool(
        self,
        *,
        size: int | None = None,
        percent: NDArray[np.float64] | None = None,
        final: NDArray[np.float64] | None = None,
        rows: NDArray[np.int64] | None = None,
        needs: Needs | None = None,
    ) -> Pool:
        """Return the pool of the selector with another size or scores (of the whole table).

        `rows` and `needs` make it that of other candidates, as a stage sees it.
        """
        own, table = self.draft.pool, self.table
        changed = replace(
            table,
            percent=table.percent if percent is None else percent,
            final=table.final if final is None else final,
        ).take(self.draft.left if rows is None else rows)
        data = StoredPoolData(
            self.session,
            self.dataset,
            pool_settings(self.request, table),
            changed.sample_ids,
            changed.contents,
            CountedScores(
                changed.names, changed.weights, changed.raw, changed.percent, changed.final
            ),
            changed.labels,
        )
        return Pool(
            data,
            size=own.size if size is None else size,
            seed=own.seed,
            needs=own.needs if needs is None else needs,
            reader="an explanation",
        )

    def takes(self, row: int, pool: Pool) -> bool:
        """Tell whether the selector takes a row of the table from a pool of the rows left."""
        chosen = self.draft.left[chosen_rows(self.selector(), self.request.selector.label, pool)]
        return bool((chosen == row).any())

    def ids(self, rows: Sequence[int]) -> list[str]:
        """Return the external ids of rows of the table."""
        numbers = self.table.sample_ids[list(rows)].tolist() if len(rows) else []
        with self.session.store.reading() as connection:
            names = samples.external_ids(connection, numbers, self.dataset.id)
        return [names[one] for one in numbers]

    def name_rows(self, rows: list[int]) -> list[str]:
        """Return the external ids of rows of the selector's pool.

        Raises:
            PluginError: there are no such rows.
        """
        left = self.draft.left
        if not all(0 <= one < len(left) for one in rows):
            raise PluginError(
                f"the selector's reasons() name rows {rows}; the pool has {len(left)}"
            )
        return self.ids(left[rows].tolist())
