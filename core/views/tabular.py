"""What results have in common: a short line, a table in a notebook, and a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.texts import one_line
from ig4.core.views import html
from ig4.core.views.frames import data_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The rows of a result, with the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class TabularResult:
    """A result that says itself in a line (`headline`) and as a table (`_table`)."""

    __slots__ = ()

    def headline(self) -> str:
        """Return what it is, in a few words."""
        raise NotImplementedError

    def _table(self) -> ResultTable:
        """Return its rows."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return one line; `to_pandas()` and the fields have the rest."""
        return f"<{type(self).__name__} {one_line(self.headline())}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the line, and the first rows."""
        made = self._table()
        tables = [html.table(made.columns, made.rows)] if made.rows else []
        return html.view(f"{type(self).__name__} {one_line(self.headline())}", tables)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each of the things that the result is about.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        made = self._table()
        return data_frame(made.columns, made.rows)
