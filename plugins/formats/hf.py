"""Folders that Hugging Face `datasets` made with `save_to_disk`.

They are Arrow streams with two small JSON files, read and written here with pyarrow alone:
`datasets` would copy them through its cache, and takes two seconds to import.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.formats import require_not_empty
from ig4.core.files.opening import open_file
from ig4.core.files.reading.encodings import read_json, unreadable_error
from ig4.core.files.reading.parquetpages import RECORD_BYTES
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.arrowsizes import largest_batch
from ig4.plugins.formats.options import ColumnOptions, SplitOptions
from ig4.plugins.formats.records.columns import with_images
from ig4.plugins.formats.splits import ALL

if TYPE_CHECKING:
    import pyarrow as pa

    from ig4.plugins.formats.arrow import ArrowTable

# pyarrow is imported where it is used: `detect` works without it.
STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_DATA = "data-00000-of-00001.arrow"
_STATE: dict[str, JSON] = {
    "_data_files": [{"filename": _DATA}],
    "_fingerprint": None,
    "_format_columns": None,
    "_format_kwargs": {},
    "_format_type": None,
    "_output_all_columns": False,
    "_split": None,
}


class HuggingFaceOptions(ColumnOptions, SplitOptions):
    """Options of the Hugging Face format."""


class HuggingFace(Format):
    """The rows of a saved `Dataset`, or of one split of a `DatasetDict` (or of all of them).

    Images may be of the `Image` feature, alone or in lists. Written is a `Dataset` folder,
    in one file, with the features and the description it was read with.
    """

    Options = HuggingFaceOptions
    options: HuggingFaceOptions
    version = "3"
    embeds_images = True
    suffixes = ()

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        return (path / SPLITS).is_file() or (
            (path / STATE).is_file() and "_data_files" in _read_json(path / STATE)
        )

    def folders(self, path: Path) -> list[Path]:
        """Return the folders of the rows: the split's, or of all splits, or `path` itself.

        Raises:
            DatasetError: there is none, or there are several splits and no option names one.
            UsageError: there is no such split.
        """
        require_not_empty(path)
        split = self.options.split
        if not (path / SPLITS).is_file():
            if not (path / STATE).is_file():
                raise DatasetError(f"{path} is not a folder saved by datasets: no {STATE} in it")
            return [path]
        splits = _splits(path / SPLITS)
        if not splits:
            raise DatasetError(f"{path / SPLITS} names no splits")
        listed = ", ".join(splits)
        if split == ALL or (split is None and len(splits) == 1):
            return [path / name for name in splits]
        if split is None:
            raise DatasetError(
                f"{path} has the splits {listed}: say which with -o split={splits[0]}, or read "
                f"them all with -o split={ALL}"
            )
        if split not in splits:
            raise UsageError(f"{path} has no split {split!r}, only {listed}")
        return [path / split]

    def sources(self, path: Path) -> list[Path]:
        """See `Format.sources`."""
        return [file for folder in self.folders(path) for file in _data_files(folder)]

    def header(self, path: Path) -> JSON:
        """Return the schema in base64, and the contents of the two JSON files (of one split)."""
        from ig4.plugins.formats.arrow import schema_to_json

        folder = self.folders(path)[0]
        state = {**_read_json(folder / STATE), "_data_files": _STATE["_data_files"]}
        state["_fingerprint"] = None  # identifies the rows, which an export may change
        schema = schema_to_json(_schema(self.sources(path)))
        info = _read_json(folder / INFO) if (folder / INFO).is_file() else {}
        return {"schema": schema, "state": state, "info": info}

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A row without an answer comes without turns."""
        from ig4.plugins.formats.arrow import ArrowTable

        files = self.sources(path)
        table = ArrowTable(path, _schema(files), self.options)
        yield from table.records(_batches(files))

    def image_folder(self, path: Path) -> Path:
        """See `Format.image_folder`: the target is always a folder."""
        return path

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
        """See `Format.write`. `target` is a folder; other files in it stay."""
        from ig4.plugins.formats.arrow import OWN_SCHEMA, ArrowTable, schema_from_json
        from ig4.plugins.formats.extracolumns import extra_fields, with_features, with_fields

        known = header or {}
        fields, records = extra_fields(records)
        own = schema_from_json(known["schema"]) if known else OWN_SCHEMA
        extra = tuple(one.name for one in fields)
        table = ArrowTable(target, with_fields(own, fields), self.options, extra)
        _write_rows(table, records, target / _DATA)
        _write_json(target / INFO, with_features(known.get("info", {}), fields))
        # datasets caches results by this fingerprint: other rows need another one.
        with (target / _DATA).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # Last, because a folder without it is not a saved data set.
        state = {**_STATE, **known.get("state", {}), "_fingerprint": digest[:16]}
        _write_json(target / STATE, state)


def _data_files(folder: Path) -> list[Path]:
    files: Any = _read_json(folder / STATE).get("_data_files")
    try:
        found = [folder / Path(file["filename"]).name for file in files]
    except (TypeError, KeyError):
        raise DatasetError(f"{folder / STATE} names no data files") from None
    missing = next((file for file in found if not file.is_file()), None)
    if missing is not None or not found:
        raise DatasetError(f"{folder} is incomplete: {missing or 'a data file'} is missing")
    return found


def _write_rows(table: ArrowTable, records: Iterable[Record], file: Path) -> None:
    import pyarrow as pa

    with (
        replacing(file) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        for batch in table.batches(records):
            writer.write_batch(batch)


def _open_stream(file: Path) -> Any:
    import pyarrow as pa

    try:
        opened = open_file(file)
    except OSError as error:
        raise unreadable_error(file, error) from None
    try:
        with opened:  # the map outlives it
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        size = largest_batch(mapped)
        if size > RECORD_BYTES:
            raise DatasetError(
                f"{file}: a compressed batch unpacks to {size:,} bytes, more than it may "
                f"({RECORD_BYTES:,}): save it in smaller batches"
            )
        return pa.ipc.open_stream(pa.py_buffer(mapped))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{file} is not a complete Arrow stream: {error}") from None


def _schema(files: list[Path]) -> pa.Schema:
    from ig4.plugins.formats.arrow import united_schema

    schemas = {}
    for file in files:
        with _open_stream(file) as stream:
            schemas[file] = stream.schema
    return united_schema(schemas)


def _batches(files: list[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for file in files:
        with _open_stream(file) as stream:
            try:
                for batch in stream:
                    # A value that claims to end behind the file would be read from our memory.
                    batch.validate(full=True)
                    yield batch
            except (pa.ArrowException, OSError) as error:
                raise DatasetError(f"{file} is cut off or broken: {error}") from None


def _splits(file: Path) -> list[str]:
    """Return the names of the splits that are folders beside the file."""
    found: Any = _read_json(file).get("splits")
    named = found if isinstance(found, list) else []
    return [name for name in named if isinstance(name, str) and names.is_safe_path(name)]


def _read_json(file: Path) -> dict[str, Any]:
    found = read_json(file)
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, value: JSON) -> None:
    with replacing(file) as partial:
        partial.write_text(json.dumps(value, indent=2), encoding="utf-8")
