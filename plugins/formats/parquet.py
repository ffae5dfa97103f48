"""Parquet files, one or a folder of them, with mapped columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.errors import DatasetError
from ig4.core.files.formats import require_not_empty
from ig4.core.files.patterns import named_files
from ig4.core.files.reading.parquetcells import Cell, fits
from ig4.core.files.reading.tables import is_parquet, open_parquet, parquet_batches
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON, ImagePart, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.options import ColumnOptions, SplitOptions
from ig4.plugins.formats.records.columns import with_images
from ig4.plugins.formats.splits import of_config, of_split, require_one_split

if TYPE_CHECKING:
    import pyarrow as pa


# pyarrow is imported where it is used: `detect` works without it.
SUFFIX = ".parquet"


class ParquetOptions(ColumnOptions, SplitOptions):
    """Options of the Parquet format."""

    config: str | None = Field(
        None, description="The configuration to read, as Hugging Face calls folders of splits."
    )
    inside: bool = Field(
        default=True,
        description="Whether images in the table are read where they lie, and not copied beside "
        "the database, if no row group has more than 64 MiB of them.",
    )


class _Cells:
    """Where the images of rows lie: in files whose row groups are small enough to be read for one.

    Rows are asked for in their order.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self.path = path
        self._files = iter(files)
        self._file: Path | None = None
        self._label = ""
        self._first = self._end = 0
        self._fits: dict[str, bool] = {}

    def find(self, row: int, number: int, column: str) -> ImagePart | None:
        """See `CellFinder`."""
        while row >= self._end:
            self._open(next(self._files))
        if self._file is None or not self._is_small(column):
            return None
        cell = Cell(row - self._first, number, column)
        return ImagePart(str(self._file), cell.place, f"{self._label}/{cell.row:09d}-{number}")

    def _open(self, file: Path) -> None:
        with open_parquet(file) as opened:
            rows = opened.metadata.num_rows
        self._first, self._end = self._end, self._end + rows
        self._file, self._fits = file, {}
        is_folder = self.path.is_dir()
        self._label = file.relative_to(self.path).as_posix() if is_folder else file.name

    def _is_small(self, column: str) -> bool:
        """Tell whether single images of a column may be read in the file at hand."""
        if column not in self._fits:
            assert self._file is not None
            with open_parquet(self._file) as opened:
                self._fits[column] = fits(self._file, opened, column)
        return self._fits[column]


class Parquet(Format):
    """Rows of one file, or of all .parquet files in a folder and below it, in order of names.

    Of several splits, or several configurations of Hugging Face's, the options say which to read.

    Images may stand in the table as bytes, or as {"bytes", "path"} the way Hugging Face
    `datasets` stores them, also in lists; or as paths. Written is one file with the schema
    and metadata of the first; a target without an ending is a folder for data.parquet.
    """

    Options = ParquetOptions
    options: ParquetOptions
    version = "4"
    embeds_images = True
    generic = True
    suffixes = (SUFFIX,)

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        if path.is_dir():
            return any(is_parquet(file) for file in _files(path)[:1])
        return is_parquet(path)

    def sources(self, path: Path) -> list[Path]:
        """See `Format.sources`."""
        require_not_empty(path)
        files = _files(path) if path.is_dir() else [path]
        if not files:
            raise DatasetError(f"{path} holds no {SUFFIX} files")
        named = named_files(path)
        if named:
            return of_split(path, named, self.options.split)
        if path.is_dir():
            files = of_config(path, files, self.options.config)
            require_one_split(path, files, self.options.split)
            files = of_split(path, files, self.options.split)
        return files

    def header(self, path: Path) -> JSON:
        """Return the schema, metadata included, in base64."""
        from ig4.plugins.formats.arrow import schema_to_json

        return {"schema": schema_to_json(_schema(self.sources(path)))}

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A row without an answer comes without turns."""
        from ig4.plugins.formats.arrow import ArrowTable

        files = self.sources(path)
        table = ArrowTable(path, _schema(files), self.options)
        cells = _Cells(path, files).find if self.options.inside else None
        yield from table.records(_batches(files, table.step), cells)

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
        return with_images(record, images, self.options)

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`."""
        return "columns"

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """See `Format.write`."""
        import pyarrow.parquet as pq

        from ig4.plugins.formats.arrow import OWN_SCHEMA, ArrowTable, schema_from_json
        from ig4.plugins.formats.extracolumns import extra_fields, with_fields

        file = names.target_file(target, f"data{SUFFIX}")
        fields, records = extra_fields(records)
        own = OWN_SCHEMA if header is None else schema_from_json(header["schema"])
        schema = with_fields(own, fields)
        table = ArrowTable(file, schema, self.options, tuple(one.name for one in fields))
        with replacing(file) as partial, pq.ParquetWriter(partial, schema) as writer:
            for batch in table.batches(records):
                writer.write_batch(batch)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{SUFFIX}"))


def _schema(files: list[Path]) -> pa.Schema:
    import pyarrow as pa

    from ig4.plugins.formats.arrow import united_schema

    schemas = {}
    for file in files:
        with open_parquet(file) as opened:
            try:
                schemas[file] = opened.schema_arrow
            except pa.ArrowException as error:
                raise DatasetError(f"{file}: its schema cannot be read ({error})") from None
    return united_schema(schemas)


def _batches(files: list[Path], step: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for file in files:
        with open_parquet(file) as opened:
            try:
                yield from parquet_batches(file, opened, step)
            except (pa.ArrowException, OSError) as error:
                raise DatasetError(f"{file} cannot be read: {error}") from None
