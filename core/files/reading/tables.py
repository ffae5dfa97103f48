"""Reads tables of scores and clusters that were made elsewhere, row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

from ig4.core.errors import DatasetError, MissingExtraError, UsageError
from ig4.core.files.opening import open_file
from ig4.core.files.reading import jsonstream, parquetpages
from ig4.core.files.reading.encodings import first_text, open_text, unreadable_error
from ig4.core.files.reading.spreadsheet import is_spreadsheet, spreadsheet_rows
from ig4.core.records import JSON

ID_COLUMNS = ("id", "image_id", "sample_id", "question_id", "external_id", "uid", "key")
"""Usual names of a column of ids; the first that is there counts."""

LABEL_COLUMNS = ("cluster", "label", "cluster_id", "cluster_label", "labels", "clusters")
"""Usual names of a column of cluster labels; the first that is there counts."""

DELIMITERS = ",\t;|"
# By default csv refuses cells above 128 KiB; this limit holds for the process.
_MAX_ROW = jsonstream.MAX_RECORD
_PARQUET_MARK = b"PAR1"


def read_rows(
    path: Path, *, encoding: str = "utf-8", key: str | None = None
) -> Iterator[dict[str, JSON]]:
    """Yield the rows of a table: JSON, JSON lines, CSV, TSV, Parquet or the first sheet of Excel's.

    A JSON table is a list of objects; inside an object the list is the one under `key`, or
    the only list of objects there is. Cells of CSV are text.

    Raises:
        DatasetError: missing, empty, broken (with line and column), or not a table.
        UsageError: the object holds several lists and `key` does not say which.
        MissingExtraError: Parquet without pyarrow, Excel without openpyxl.
    """
    require_file(path)
    if is_parquet(path):
        yield from _parquet_rows(path)
        return
    if is_spreadsheet(path):
        yield from spreadsheet_rows(path)
        return
    layout = jsonstream.layout(path)
    if layout is None:
        if path.suffix.lower() == ".json":
            next(jsonstream.list_items(path, encoding), None)  # says what is wrong with it
        yield from _csv_rows(path, encoding)
        return
    for number, row in enumerate(_json_items(path, layout, encoding, key), 1):
        if not isinstance(row, dict):
            raise DatasetError(f"{path}: row {number:,} is not a JSON object with columns")
        yield row


def read_clusters(
    path: Path,
    *,
    encoding: str = "utf-8",
    key: str | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield (sample id, cluster label), both as text.

    The file is a JSON object from label to a list of ids, or a table as `read_rows` takes it
    with a column of ids and one of labels; columns that you do not name are found by usual names.

    Raises:
        DatasetError: as `read_rows`; or a list under a label holds something other than ids.
        UsageError: there is no such column.
    """
    require_file(path)
    table = is_parquet(path) or is_spreadsheet(path)
    if key is None and not table and _is_label_lists(path, encoding):
        yield from _label_lists(path, encoding)
        return
    columns: tuple[str, str] | None = None
    for row in read_rows(path, encoding=encoding, key=key):
        if columns is None:
            columns = (
                column_named(path, row, id_column, ID_COLUMNS, "ids"),
                column_named(path, row, label_column, LABEL_COLUMNS, "cluster labels"),
            )
        yield _id_and_label(path, row, columns)


def column_named(
    path: Path, columns: Sequence[str] | dict[str, Any], given: str | None,
    usual: Sequence[str], what: str,
) -> str:  # fmt: skip
    """Return the column `given`, or the first of the `usual` names that the table has.

    What lies in an object of a row is named by its keys with dots between: `ig4.scores.clip`.

    Raises:
        UsageError: there is no such column; says which there are.
    """
    names = [given] if given is not None else usual
    column = next((name for name in names if name in columns), None)
    if column is not None:
        return column
    if given is not None and isinstance(columns, dict) and _path_to(columns, given) is not None:
        return given
    known = ", ".join(map(repr, columns))
    if given is not None:
        raise UsageError(f"{path} has no column {given!r}: its columns are {known}")
    raise UsageError(f"{path}: say which column holds the {what}; its columns are {known}")


def cell(row: Mapping[str, JSON], column: str) -> JSON:
    """Return what a row has in a column, which may be a path as `column_named` takes it."""
    if column in row:
        return row[column]
    found: JSON = row
    for key in _path_to(row, column) or ():
        found = found[key]
    return None if found is row else found


def _path_to(row: Mapping[str, JSON], column: str) -> tuple[str, ...] | None:
    """Return the keys that lead to a path with dots; keys may have dots of their own."""
    if column in row:
        return (column,)
    at = column.find(".")
    while at >= 0:
        inner = row.get(column[:at])
        if isinstance(inner, dict) and (rest := _path_to(inner, column[at + 1 :])) is not None:
            return (column[:at], *rest)
        at = column.find(".", at + 1)
    return None


def text_id(value: JSON) -> str | None:
    """Return an id as text: 17, 17.0 and "17" are the same; None if it is no id."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _id_and_label(path: Path, row: dict[str, JSON], columns: tuple[str, str]) -> tuple[str, str]:
    """Return two cells of a row as ids.

    Raises:
        DatasetError: one is missing or is neither text nor number.
    """
    sample, label = (text_id(cell(row, column)) for column in columns)
    if sample is None or label is None:
        raise DatasetError(f"{path}: {_shown(row)} lacks {columns[0]!r} or {columns[1]!r}")
    return sample, label


def require_file(path: Path) -> None:
    """Raise DatasetError unless there is a file with something in it."""
    try:
        with open_file(path) as file:
            if not file.read(1):
                raise DatasetError(f"{path} is empty")
    except OSError as error:
        raise unreadable_error(path, error) from error


def is_parquet(path: Path) -> bool:
    """Tell whether a file is Parquet, by its first four bytes."""
    try:
        with open_file(path) as file:
            return file.read(4) == _PARQUET_MARK
    except OSError:
        return False


def delimiter_of(path: Path) -> str:
    """Return the delimiter of a table: the one its header line has most of; a comma if none."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    header = first_text(path).partition("\n")[0]
    outside_quotes = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside_quotes.count)


def csv_cells(path: Path, encoding: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV file as lists of texts, its header first; blank lines are skipped.

    Raises:
        DatasetError: it is not in this encoding, or a row cannot be parsed; names the line.
    """
    csv.field_size_limit(_MAX_ROW)
    with open_text(path, encoding) as file:
        lines = _RowLines(file)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for row in rows:
                lines.room = _MAX_ROW
                if row:
                    yield row
        except csv.Error as error:
            raise DatasetError(f"{path}: line {rows.line_num:,}: not valid CSV ({error})") from None


class _RowLines:
    """The lines of a CSV file, of which one row may take so many characters as there is `room`."""

    def __init__(self, file: TextIO) -> None:
        self.room = _MAX_ROW
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(self.room + 1)
        if not line:
            raise StopIteration
        self.room -= len(line)
        if self.room < 0:
            raise csv.Error(f"a row is longer than {_MAX_ROW:,} characters")
        return line


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Open the pyarrow.parquet.ParquetFile of a path, for a `with` block.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DatasetError: it is not a whole Parquet file.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError(
            f'{path.name} is a Parquet file, which needs pyarrow: pip install "ig4[parquet]"'
        ) from None
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(parquetpages.reading_parquet(path))
        except OSError as error:
            raise unreadable_error(path, error) from error
        except pa.ArrowException as error:
            raise DatasetError(f"{path} is not a whole Parquet file: {error}") from None
        yield opened


def parquet_batches(path: Path, opened: Any, most: int) -> Iterator[Any]:
    """Yield the pyarrow.RecordBatches of a Parquet file, of at most `most` rows.

    They have fewer where more might take more memory than BATCH_BYTES.

    Raises:
        DatasetError: one row would take more than RECORD_BYTES, or memory runs out.
        pyarrow.ArrowException, OSError: the file is broken.
    """
    for group in range(opened.num_row_groups):
        try:
            rows = _rows_at_a_time(path, opened, group, most)
            for batch in opened.iter_batches(rows, row_groups=[group]):
                batch.validate(full=True)  # texts may be no UTF-8
                yield batch
        except (ValueError, MemoryError) as error:
            import pyarrow as pa

            if isinstance(error, pa.ArrowException) and not isinstance(error, MemoryError):
                raise
            reason = str(error) or "memory ran out"
            raise DatasetError(
                f"{path}: row group {group + 1} takes more memory than one record may: {reason}"
            ) from None


def _rows_at_a_time(path: Path, opened: Any, group: int, most: int) -> int:
    costs = parquetpages.group_costs(path, opened, group)
    lists = [cost.path for cost in costs if cost.scattered]
    rows = parquetpages.rows_at_a_time([one for one in costs if not one.scattered], most)
    return _rows_of_lists(path, group, lists, rows) if lists else rows


def _rows_of_lists(path: Path, group: int, columns: Sequence[str], rows: int) -> int:
    """Return how many rows to read at a time of lists of texts or bytes that a dictionary holds.

    Read as a dictionary they take little memory, and tell what they would take.
    """
    with parquetpages.reading_parquet(path, read_dictionary=list(columns)) as file:
        while True:
            batches = file.iter_batches(rows, row_groups=[group], columns=list(columns))
            most = max((sum(map(expanded_bytes, b.columns)) for b in batches), default=0)
            if rows > 1 and most > parquetpages.BATCH_BYTES:
                rows = max(1, rows // max(2, most // parquetpages.BATCH_BYTES + 1))
                continue
            if most > parquetpages.RECORD_BYTES:
                raise ValueError(f"one record holds {most:,} bytes in {columns[0]}")
            return rows


def expanded_bytes(array: Any) -> int:
    """Return the bytes of an array's texts and bytes, with repeated ones counted each time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return expanded_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        if not (pa.types.is_binary(kind.value_type) or pa.types.is_string(kind.value_type)
                or pa.types.is_large_binary(kind.value_type)
                or pa.types.is_large_string(kind.value_type)):  # fmt: skip
            return 8 * len(array)
        return pc.sum(pc.binary_length(array.dictionary).take(array.indices)).as_py() or 0
    if pa.types.is_struct(kind):
        return sum(map(expanded_bytes, array.flatten()))
    if pa.types.is_map(kind):
        return expanded_bytes(array.keys) + expanded_bytes(array.items)
    if pa.types.is_nested(kind):
        return expanded_bytes(array.flatten())
    return int(array.nbytes)


def _json_items(
    path: Path, layout: jsonstream.Layout, encoding: str, key: str | None
) -> Iterator[JSON]:
    if layout == "list":
        items = jsonstream.list_items(path, encoding)
    elif layout == "lines":
        items = jsonstream.lines(path, encoding)
    else:
        items = jsonstream.nested_items(path, key or _only_list(path, encoding), encoding)
    return jsonstream.rows(path, items)


def _only_list(path: Path, encoding: str) -> str:
    firsts = jsonstream.first_items(path, encoding)
    tables = [name for name, first in firsts.items() if isinstance(first, dict)]
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise DatasetError(f"{path} holds no list of objects, so it is not a table")
    names = ", ".join(map(repr, tables))
    raise UsageError(f"{path} holds several tables ({names}): say which with --key")


def _csv_rows(path: Path, encoding: str) -> Iterator[dict[str, JSON]]:
    rows = csv_cells(path, encoding, delimiter_of(path))
    header = next(rows, None)
    if header is None:
        raise DatasetError(f"{path} has no header line")
    twice = next((name for name in header if name.strip() and header.count(name) > 1), None)
    if twice is not None:
        raise DatasetError(f"{path} has two columns called {twice[:80]!r}: rename one")
    for number, cells in enumerate(rows, 1):
        if len(cells) > len(header):
            raise DatasetError(
                f"{path}: row {number:,} has {len(cells)} cells, its header {len(header)}"
            )
        yield dict(zip(header, cells, strict=False))


def _parquet_rows(path: Path) -> Iterator[dict[str, JSON]]:
    import pyarrow as pa

    try:
        with open_parquet(path) as file:
            for batch in parquet_batches(path, file, 4096):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _is_label_lists(path: Path, encoding: str) -> bool:
    if jsonstream.layout(path) != "object":
        return False
    firsts = jsonstream.first_items(path, encoding)
    return bool(firsts) and not any(isinstance(first, dict) for first in firsts.values())


def _label_lists(path: Path, encoding: str) -> Iterator[tuple[str, str]]:
    for label, ids in jsonstream.members(path, encoding):
        if not isinstance(ids, list):
            raise DatasetError(f"{path}: {label!r} holds no list of ids")
        for value in ids:
            sample = text_id(value)
            if sample is None:
                raise DatasetError(f"{path}: {_shown(value)} under {label!r} is not an id")
            yield sample, label


def _shown(value: JSON) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"
