"""The rows of a query: a list of dicts that shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted
from ig4.core.views import html
from ig4.core.views.frames import data_frame

if TYPE_CHECKING:
    import pandas as pd


class QueryRows(list[dict[str, Any]]):
    """The rows of a query by column name; `columns` are the names, also where there are no rows."""

    def __init__(self, columns: Sequence[str], rows: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with these rows and columns.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame(self.columns, self._values(self))

    def _repr_html_(self) -> str:
        first = self._values(self[: html.SHOWN_ROWS])
        shown = html.table(self.columns, first, len(self) - len(first))
        return html.view(counted(len(self), "row"), [shown])

    def _values(self, rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
        return [[row[name] for name in self.columns] for row in rows]
