"""A selection as people get it from the library: rows that become pandas, numpy or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

from ig4.storage.selections import SelectionItem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["SelectionItem", "SelectionResult"]


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """A stored selection, best first. Iterate over it for the chosen samples.

    `name` is the user's, with a `note`, `label` that of the recipe; None where there is none.
    `report` has its `composition` (of groups, with the total variation `tv` from the pool),
    `effective_weights`, `duplicates`, `levels` of groups that stand out, `told` and `stages`.
    """

    id: int
    dataset: str
    config: Mapping[str, Any]
    chosen: Sequence[SelectionItem]
    report: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    label: str | None = None
    note: str | None = None

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
        """Return a DataFrame with columns id, rank, cluster, final_score.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            from ig4.core.errors import MissingExtraError

            raise MissingExtraError('to_pandas needs pandas: pip install "ig4[report]"') from None
        return pd.DataFrame(
            self.to_dict()["selected"], columns=["id", "rank", "cluster", "final_score"]
        )
