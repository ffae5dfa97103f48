"""A column of scores in a file: read to its end, before any of it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.chunks import chunks
from ig4.core.events import StageAdvanced
from ig4.core.files.reading import jsonstream, tables
from ig4.core.files.reading.numbers import Mark, NumberColumn, read_numbers
from ig4.core.files.reading.spreadsheet import is_spreadsheet
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

STAGE = "import"
BATCH = 5000
_FIRST_ROWS = 100
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """A column of scores in a file: which one, whose ids, in which units, on whose scale.

    `decimal` is the mark before fractions, where that is not plain. `scale_options` are options
    of the scorer `scale_of`. With `replace`, the scores may take the place of others.
    """

    path: Path
    name: str
    column: str
    id_column: str | None = None
    key: str | None = None
    encoding: str = "utf-8"
    scale_of: str | None = None
    multiply: float = 1.0
    decimal: Mark | None = None
    scale_options: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False

    @property
    def where(self) -> str:
        """The file and the column, for messages."""
        return f"{self.path}, column {self.column!r}"


@dataclass(frozen=True, slots=True)
class FileColumn:
    """The ids and numbers of a column, row by row, and the first rows as they are.

    `unreadable` tells of rows with something else than a number, or without an id.
    """

    id_column: str
    ids: list[str | None]
    numbers: NumberColumn
    unreadable: list[str]
    first: list[Mapping[str, Any]]

    @property
    def usable(self) -> list[int]:
        """The places of the rows with an id and a number."""
        values = self.numbers.values
        return [n for n, key in enumerate(self.ids) if key is not None and values[n] is not None]


def read_column(session: Session, column: ScoreColumn) -> FileColumn:
    """Read the ids and numbers of a file's column.

    Raises:
        UsageError: there is no such column.
        DatasetError: the file cannot be read, or a number could be two.
    """
    id_column = ""
    ids: list[str | None] = []
    cells: list[Any] = []
    first: list[Mapping[str, Any]] = []
    rows = tables.read_rows(column.path, encoding=column.encoding, key=column.key)
    for batch in chunks(rows, BATCH):
        if not first:
            first.extend(batch[:_FIRST_ROWS])
            tables.column_named(column.path, batch[0], column.column, (), "scores")
            id_column = tables.column_named(
                column.path, batch[0], column.id_column, tables.ID_COLUMNS, "ids"
            )
        for row in batch:
            key = tables.text_id(tables.cell(row, id_column))
            ids.append(None if key is None else sanitize(key))
            cells.append(tables.cell(row, column.column))
        session.emit(StageAdvanced(STAGE, len(batch)))
    numbers = read_numbers(
        cells,
        column.where,
        decimal=column.decimal,
        comma_splits=_splits_at_commas(column.path),
    )
    unreadable = [f"{ids[n]}: {cells[n]!r}"[:_SHOWN] for n in numbers.unreadable]
    unreadable += [
        f"{cells[n]!r} has no id"[:_SHOWN]
        for n, value in enumerate(numbers.values)
        if value is not None and ids[n] is None
    ]
    return FileColumn(id_column, ids, numbers, unreadable, first)


def _splits_at_commas(path: Path) -> bool:
    """Tell whether a file is no table of text, or one whose cells are split at commas."""
    if tables.is_parquet(path) or is_spreadsheet(path) or jsonstream.layout(path) is not None:
        return True
    return tables.delimiter_of(path) == ","
