"""Tables in CSV or TSV files, whose columns are mapped to their meaning."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain, count, islice
from pathlib import Path

from pydantic import Field

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.counts import counted
from ig4.core.errors import DatasetError
from ig4.core.extras import flat
from ig4.core.files.formats import require_not_empty
from ig4.core.files.images.names import rename_images
from ig4.core.files.patterns import named_files
from ig4.core.files.reading.compressed import data_suffix
from ig4.core.files.reading.encodings import first_text
from ig4.core.files.reading.tables import csv_cells, delimiter_of, require_file
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.jsonrecords import open_text
from ig4.plugins.formats.options import SplitOptions, TextColumnOptions
from ig4.plugins.formats.records.columns import (
    Columns,
    find_columns,
    record_from_row,
    require_columns,
    row_from_record,
)
from ig4.plugins.formats.splits import in_format, one_dataset

SUFFIXES = (".csv", ".tsv", ".tab")
_OWN_HEADER = ("id", "image", "instruction", "answer", "messages")
_TABS = (".tsv", ".tab")


class CsvOptions(TextColumnOptions, SplitOptions):
    """Options of the CSV format."""

    delimiter: str | None = Field(
        None, min_length=1, max_length=1,
        description="Separator of the columns; default: a tab in .tsv, else found in the header.",
    )  # fmt: skip


class Csv(Format):
    """A row for each sample, under a header line; columns are found by their usual names.

    In a folder it is one file, or shards that have each a header of its own: what one of them
    lacks is empty.

    A raw record is the row as an object of texts, or as a list where it does not fit the
    header, which is a problem of the sample. Delimiter and line ends are kept; quotes are set
    where they are needed. A row made from another format has image (a path, or a JSON list of
    several), instruction, answer, and messages (JSON) for more than one question and answer.
    """

    Options = CsvOptions
    options: CsvOptions
    version = "3"
    generic = True
    suffixes = SUFFIXES

    def detect(self, path: Path) -> bool:
        """See `Format.detect`: by the file's ending and a header line with an answer column."""
        return bool(self._matching_files(path))

    def _matching_files(self, path: Path) -> list[Path]:
        there = named_files(path) or path.iterdir() if path.is_dir() else [path]
        tables = (file for file in there if data_suffix(file) in SUFFIXES)
        return in_format(tables, self._matches)

    def _matches(self, file: Path) -> bool:
        line = first_text(file).partition("\n")[0].rstrip("\r")
        try:
            header = next(csv.reader([line], delimiter=self._delimiter(file)), [])
        except csv.Error:
            return False
        columns = find_columns(header, self.options)
        return columns.answer is not None or columns.messages is not None

    def sources(self, path: Path) -> list[Path]:
        """Return the file of a data set, or its shards; a folder must have only one of this format.

        Raises:
            DatasetError: there is none, or there are several data sets.
        """
        require_not_empty(path)
        if not path.is_dir():
            return [path]
        return one_dataset(path, self._matching_files(path), self.options.split)

    def header(self, path: Path) -> JSON:
        """Return the columns of all files, the delimiter and the line end of the first."""
        files = self.sources(path)
        line = first_text(files[0]).partition("\n")[0]
        columns = [name for file in files for name in next(self._cells(file), [])]
        return {
            "columns": columns if len(files) == 1 else list(dict.fromkeys(columns)),
            "delimiter": self._delimiter(files[0]),
            "line_end": "\r\n" if line.endswith("\r") else "\n",
        }

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A row without an answer comes without turns.

        Numbers of rows, which are the ids of those without one, go on from shard to shard.
        """
        number = count()
        files = self.sources(path)
        for file in files:
            yield from self._records(file, number, alone=len(files) == 1)

    def _records(self, file: Path, number: Iterator[int], *, alone: bool) -> Iterator[Record]:
        require_file(file)
        rows = self._cells(file)
        header = next(rows, [])
        columns = require_columns(file, header, self.options)
        distinct = len(set(header)) == len(header)
        repeated = _repeated(header, columns)
        if repeated is None and not (distinct or alone):
            repeated = next(name for name in header if header.count(name) > 1)
        if repeated is not None:
            raise DatasetError(f"{file} has two columns with the name {repeated!r}: rename one")
        for cells in rows:
            row = dict(zip(header, cells, strict=False))
            fits = len(cells) == len(header)
            raw = row if distinct and fits else cells
            record = record_from_row(row, columns, self.options, next(number), raw)
            if len(cells) < len(header) or any(cells[len(header) :]):
                problem = f"the row has {counted(len(cells), 'cell')}, the header {len(header):,}"
                record = record._replace(problem=problem)
            yield record

    def _cells(self, file: Path) -> Iterator[list[str]]:
        return csv_cells(file, self.options.encoding, self._delimiter(file))

    def image_folder(self, path: Path) -> Path:
        """See `Format.image_folder`; also right for a target not written yet."""
        return names.target_folder(path)

    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return the record's own path where it is safe, else images/<id>-<index><suffix>."""
        return names.image_name(record, index, suffix)

    def with_images(
        self, record: Record, images: Sequence[str | bytes], header: JSON = None
    ) -> JSON:
        """See `Format.with_images`."""
        names_of_columns = (header or {}).get("columns", _OWN_HEADER)
        columns = find_columns(names_of_columns, self.options)

        def parse(raw: JSON) -> Record:
            cells = raw if isinstance(raw, list) else [raw.get(n, "") for n in names_of_columns]
            row = dict(zip(names_of_columns, cells, strict=False))
            return record_from_row(row, columns, self.options, 0, raw)

        return rename_images(record.raw, images, parse)

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`."""
        return "columns"

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """See `Format.write`. A target without an ending is a folder for data.csv.

        Raises:
            DatasetError: a text has characters that the encoding lacks.
        """
        file = names.target_file(target, "data.csv")
        dialect = header or {
            "columns": _OWN_HEADER,
            "delimiter": self.options.delimiter or ",",
            "line_end": "\n",
        }
        if file.suffix.lower() in _TABS and self.options.delimiter is None:
            dialect = {**dialect, "delimiter": "\t"}  # as whoever reads it takes it
        try:
            with replacing(file) as partial, open_text(partial, self.options.encoding) as out:
                _write(out, records, dialect, find_columns(dialect["columns"], self.options))
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"{file}: {error.object[error.start]!r} cannot be written in "
                f"{self.options.encoding}: set the format's option encoding to utf-8, or export "
                "in another format"
            ) from None

    def _delimiter(self, file: Path) -> str:
        return self.options.delimiter or delimiter_of(file)


def _repeated(header: Sequence[str], columns: Columns) -> str | None:
    """Return a name of two columns that both might be meant, or None."""
    meant = {getattr(columns, field.name) for field in fields(columns)}
    return next((name for name in header if header.count(name) > 1 and name in meant), None)


def _write(out: object, records: Iterable[Record], dialect: JSON, columns: Columns) -> None:
    kind = {"delimiter": dialect["delimiter"], "lineterminator": dialect["line_end"]}
    plain = csv.writer(out, **kind)  # type: ignore[arg-type]
    # Before Python 3.13 a lone carriage return is left unquoted, and read as the row's end.
    quoted = csv.writer(out, quoting=csv.QUOTE_ALL, **kind)  # type: ignore[arg-type]
    records = iter(records)
    first = list(islice(records, 1))
    more = list(flat(first[0].extras)) if first and first[0].extras else []
    header = [name for name in dialect["columns"] if name not in more]
    rows = (_with_extras(record, header, more, columns) for record in chain(first, records))
    for cells in chain([[*header, *more]], rows):
        writer = quoted if any("\r" in cell for cell in cells) else plain
        writer.writerow(cells)


def _with_extras(
    record: Record, header: Sequence[str], more: Sequence[str], columns: Columns
) -> list[str]:
    """Return the cells of a record, with those of its extras in the columns `more`."""
    extras = flat(record.extras or {})
    return [*_cells(record, header, columns), *(_extra(extras.get(name)) for name in more)]


def _extra(value: JSON) -> str:
    return "" if value is None else str(value)


def _cells(record: Record, header: Sequence[str], columns: Columns) -> list[str]:
    if isinstance(record.raw, dict):
        return [str(record.raw.get(name, "")) for name in header]
    if isinstance(record.raw, list):
        return record.raw
    row = row_from_record(record, columns)
    images = [image for image in record.images if isinstance(image, str)]
    if columns.image is not None:
        row[columns.image] = images[0] if len(images) == 1 else images
    return [_cell(row.get(name)) for name in header]


def _cell(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if value else ""
