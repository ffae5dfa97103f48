"""A selection as people get it from the library: rows that become pandas, numpy or JSON."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

from ig4.core.engine.selecting.selectiontable import plain_table, selection_table, shown_rows
from ig4.core.errors import Ig4Error
from ig4.core.views import html
from ig4.core.views.frames import data_frame
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage.selections import SelectionItem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sqlalchemy import URL

__all__ = ["SelectionItem", "SelectionResult"]


@dataclass(frozen=True, slots=True, repr=False)
class SelectionResult(TabularResult):
    """A stored selection, best first. Iterate over it for the chosen samples.

    `name` is the user's, with a `note`, `label` that of the recipe; None where there is none.
    `report` has its `composition` (of groups, with the total variation `tv` from the pool),
    `effective_weights`, `duplicates`, `levels` of groups that stand out, `told` and `stages`.
    `database` is where it is stored: `to_pandas()` and the view in a notebook open it again to read
    texts and images, and close it. `same_as` is the number of an older selection that is the same,
    where this one was stored again to be the newest.
    """

    id: int
    dataset: str
    config: Mapping[str, Any]
    chosen: Sequence[SelectionItem]
    report: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    label: str | None = None
    note: str | None = None
    database: URL | None = field(default=None, compare=False)
    same_as: int | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[SelectionItem]:
        return iter(self.chosen)

    @property
    def ids(self) -> list[str]:
        """The external ids, best first."""
        return [one.external_id for one in self.chosen]

    def to_dict(self) -> dict[str, Any]:
        """Return what `ig4 select --json` prints."""
        return {
            "selected": [
                {
                    "id": one.external_id,
                    "rank": one.rank,
                    "cluster": one.cluster,
                    "final_score": one.final_score,
                }
                for one in self.chosen
            ],
            "selection": self.id,
            "name": self.name,
            "note": self.note,
            "label": self.label,
            "dataset": self.dataset,
            "size": len(self.chosen),
            "config": dict(self.config),
            **self.report,
        }

    def to_numpy(self) -> NDArray[np.void]:
        """Return a structured array (n,) with fields id, rank, cluster, final_score.

        The final score is NaN where no scores counted.
        """
        import numpy as np

        width = max([len(one.external_id) for one in self.chosen], default=1)
        kind = [("id", f"U{width}"), ("rank", "i8"), ("cluster", "i8"), ("final_score", "f8")]
        rows = [
            (c.external_id, c.rank, c.cluster, nan if c.final_score is None else c.final_score)
            for c in self.chosen
        ]
        return np.array(rows, dtype=kind)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each sample, best first.

        Columns are id, rank, cluster, final_score, quota; for each score that counted its value
        (`clip`) and percent (`clip_percent`), as they were when it was selected; instruction,
        answer, image_path (of the first image) and image_paths. Those from `quota` on are read
        from the database, which is opened for that and closed again.

        Raises:
            MissingExtraError: pandas is not installed.
            StorageError: the database is not there any more, or cannot be read.
        """
        if self.database is None:
            made = self._table()
        else:
            found = selection_table(self.database, self.id, self.chosen)
            made = found.table
            if found.told is not None:
                warnings.warn(found.told, stacklevel=2)
        return data_frame(made.columns, made.rows)

    def headline(self) -> str:
        """Return what it is, in a few words."""
        called = self.name or self.label
        name = "" if called is None else f' "{called}"'
        of = self.config.get("candidates")
        pool = f"{len(self):,}" if of is None else f"{len(self):,} of {of:,}"
        return f"{self.id}{name}: {pool} samples of {self.dataset}"

    def _table(self) -> ResultTable:
        return plain_table(self.chosen)

    def _repr_html_(self) -> str:
        """Return the first samples with pictures; without them where the database is gone."""
        first = self.chosen[: html.SHOWN_ROWS]
        made = plain_table(first)
        if self.database is not None:
            with suppress(Ig4Error):  # a view does not fail: ids and scores are known without it
                made = shown_rows(self.database, first)
        more = len(self.chosen) - len(first)
        shown = html.table(made.columns, made.rows, more)
        return html.view(f"SelectionResult {self.headline()}", [shown])
