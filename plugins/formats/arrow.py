"""Arrow tables of the formats: rows to JSON and back, without changing any value.

JSON has no dates, decimals or bytes. Columns of such types are cast to whole numbers or text
and back; bytes become {"$base64": …}, and bytes of an image {"$image": n}, its place among the
record's images, so that the raw record does not carry them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from ig4.core.errors import DatasetError
from ig4.core.extras import flat
from ig4.core.files.reading.parquetpages import BATCH_BYTES, RECORD_BYTES
from ig4.core.files.reading.tables import expanded_bytes
from ig4.core.records import JSON, ImagePart, Record
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.records.columns import (
    OWN_COLUMNS,
    Columns,
    find_columns,
    record_from_row,
    require_columns,
    row_from_record,
)
from ig4.plugins.formats.records.imagefields import ImageRef

_IMAGE, _BASE64 = "$image", "$base64"
_ROWS, _ROWS_WITH_BYTES = 4096, 64

_IMAGES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
OWN_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("images", _IMAGES),
        ("instruction", pa.string()),
        ("answer", pa.string()),
        ("messages", _MESSAGES),
    ]
)
"""The schema for records of another format; images as `datasets` stores them."""


CellFinder: TypeAlias = Callable[[int, int, str], ImagePart | None]
"""Returns where the image of a row (from 0), a number in it, and a column lies."""


@dataclass(frozen=True, slots=True)
class ArrowTable:
    """The schema of a data set, and the options that name its columns."""

    path: Path
    schema: pa.Schema
    options: ColumnOptions
    extra: tuple[str, ...] = ()
    """The columns of extras, which `batches` fills."""

    @property
    def step(self) -> int:
        """Rows to hold at a time: few if they may contain images."""
        return _ROWS_WITH_BYTES if any(_holds_bytes(t) for t in self.schema.types) else _ROWS

    def records(
        self, batches: Iterable[pa.RecordBatch], cells: CellFinder | None = None
    ) -> Iterator[Record]:
        """Yield the records of batches, whose columns may be of types that fit in this schema's.

        `cells` tells where an image lies, by the number of its row and its own in the row; None of
        one whose bytes the record has to hold.

        Raises:
            DatasetError: no column holds the answer, or one is of a type that cannot be read.
        """
        columns = require_columns(self.path, self.schema.names, self.options)
        if len(set(self.schema.names)) < len(self.schema.names):
            raise DatasetError(f"{self.path} has two columns with the same name: rename one")
        walked = {f.name: f.type for f in self.schema if _needs_walk(f.type)}
        number = 0
        for batch in batches:
            step = self._rows_at_a_time(batch)
            for start in range(0, len(batch), step):
                part = fitted(batch.slice(start, step), self.schema, self.path)
                for raw in self._rows(part):
                    images: list[ImageRef] = []
                    for name, kind in walked.items():
                        image_refs = images if name == columns.image else None
                        raw[name] = _to_json(raw[name], kind, image_refs)
                    if cells is not None and images:
                        images = _as_parts(images, cells, number, str(columns.image))
                    record = record_from_row(
                        raw, columns, self.options, number, raw, embedded=images
                    )
                    if images and record.images[: len(images)] != tuple(images):
                        # `raw` refers to the images by their number.
                        record = record._replace(images=tuple(images), places=None)
                    yield record
                    number += 1

    def _rows_at_a_time(self, batch: pa.RecordBatch) -> int:
        """Return how many rows to take out of a batch at a time.

        A dictionary may hold little, and be enormous once each row has its value of it.
        """
        step, size = self.step, len(batch)
        if not any(_holds_dictionary(kind) for kind in batch.schema.types):
            return step
        while True:
            slices = (batch.slice(start, step) for start in range(0, size, step))
            most = max((sum(map(expanded_bytes, one.columns)) for one in slices), default=0)
            if most <= BATCH_BYTES or (step == 1 and most <= RECORD_BYTES):
                return step
            if step == 1:
                raise DatasetError(
                    f"{self.path}: one record holds {most:,} bytes, more than one may "
                    f"({RECORD_BYTES:,})"
                )
            step = max(1, step // 8)

    def _rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        arrays = []
        for field, array in zip(self.schema, batch.columns, strict=True):
            kind = _json_type(field.type)
            try:
                storage = array.storage if isinstance(array, pa.ExtensionArray) else array
                arrays.append(storage if storage.type == kind else storage.cast(kind))
            except pa.ArrowException as error:
                raise DatasetError(
                    f"{self.path}: column {field.name!r} of type {field.type} cannot be read "
                    f"({error})"
                ) from None
        rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(
            arrays, names=self.schema.names
        ).to_pylist()
        return rows

    def batches(self, records: Iterable[Record]) -> Iterator[pa.RecordBatch]:
        """Yield batches of this schema made from records.

        Raises:
            DatasetError: a value does not fit its column.
        """
        stream = iter(records)
        base = pa.schema([field for field in self.schema if field.name not in self.extra])
        columns = OWN_COLUMNS if base.equals(OWN_SCHEMA) else self._columns()
        while part := list(islice(stream, self.step)):
            rows = [(self._row(record, columns), record.images) for record in part]
            arrays = [self._array(field, rows) for field in self.schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _row(self, record: Record, columns: Columns) -> Mapping[str, JSON]:
        """Return the row of a record, with its extras."""
        row = record.raw if record.raw is not None else row_from_record(record, columns)
        return {**row, **flat(record.extras)} if record.extras and self.extra else row

    def _columns(self) -> Any:
        return find_columns(self.schema.names, self.options)

    def _array(self, field: pa.Field, rows: list[tuple[Mapping[str, JSON], Any]]) -> pa.Array:
        walk = _needs_walk(field.type)
        values = [
            _from_json(row.get(field.name), field.type, images) if walk else row.get(field.name)
            for row, images in rows
        ]
        try:
            array = pa.array(values, type=_json_type(field.type))
            if isinstance(field.type, pa.BaseExtensionType):
                storage = array.cast(field.type.storage_type)
                return pa.ExtensionArray.from_storage(field.type, storage)
            return array if array.type == field.type else array.cast(field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise DatasetError(
                f"{self.path}: a value does not fit column {field.name!r} of type {field.type} "
                f"({error})"
            ) from None


def _as_parts(images: list[ImageRef], cells: CellFinder, row: int, column: str) -> list[ImageRef]:
    """Return the images of a row as parts of its file, where they may be read there."""
    found: list[ImageRef] = []
    number = 0
    for image in images:
        part = None
        if isinstance(image, bytes):
            part = cells(row, number, column)
            number += 1
        found.append(part or image)
    return found


def united_schema(schemas: Mapping[Path, pa.Schema]) -> pa.Schema:
    """Return the schema that the rows of all files fit in; the first one's if all are equal.

    Shards written by different tools have text as string, large_string or dictionary, or a column
    of nulls alone without a type.

    Raises:
        DatasetError: a file has other columns, or values of another kind; says which.
    """
    (first_file, first), *others = schemas.items()
    united = first
    for file, schema in others:
        if schema.equals(united):
            continue
        _require_same_columns(first_file, first, file, schema)
        united = _united(united, schema, first_file, file)
    return united


def _require_same_columns(
    first_file: Path, first: pa.Schema, file: Path, schema: pa.Schema
) -> None:
    differences = [
        f"{word} {', '.join(map(repr, sorted(names)))}"
        for word, names in (
            ("lacks", set(first.names) - set(schema.names)),
            ("has also", set(schema.names) - set(first.names)),
        )
        if names
    ]
    if differences:
        raise DatasetError(
            f"{file} has other columns than {first_file.name}: it {' and '.join(differences)}. "
            "Ingest them as data sets of their own."
        )
    if len(set(schema.names)) < len(schema.names):
        raise DatasetError(f"{file} has two columns with the same name: rename one")


def _united(one: pa.Schema, other: pa.Schema, first_file: Path, file: Path) -> pa.Schema:
    fields = []
    for field in one:
        kinds = field.type, other.field(field.name).type
        kind = field.type if kinds[0].equals(kinds[1]) else _common_type(*kinds)
        if kind is None:
            raise DatasetError(
                f"{file}: column {field.name!r} holds {kinds[1]}, in {first_file.name} {kinds[0]}"
            )
        fields.append(field.with_type(kind).with_nullable(True))  # noqa: FBT003 - Arrow's
    return pa.schema(fields, metadata=one.metadata)


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type that both fit in without a change of any value, or None."""
    try:
        schemas = [pa.schema([("column", _plain_type(kind))]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowException, TypeError):
        return None


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the same values without dictionaries and views."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain_type(kind.value_type)))
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


def fitted(batch: pa.RecordBatch, schema: pa.Schema, path: Path) -> pa.RecordBatch:
    """Return a batch with the columns of a schema, in its order and of its types.

    Raises:
        DatasetError: a column is missing, or a value does not fit.
    """
    if batch.schema.equals(schema):
        return batch
    arrays = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        if at < 0:
            raise DatasetError(f"{path}: a part of it has no column {field.name!r}")
        array = batch.column(at)
        try:
            array = array.storage if isinstance(array, pa.ExtensionArray) else array
            arrays.append(array if array.type == field.type else array.cast(field.type))
        except pa.ArrowException as error:
            raise DatasetError(
                f"{path}: column {field.name!r} holds {array.type} in one part and {field.type} "
                f"in another ({error})"
            ) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def schema_to_json(schema: pa.Schema) -> str:
    """Return a schema, with its metadata, as text."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")


def schema_from_json(text: str) -> pa.Schema:
    """Return the schema that `schema_to_json` wrote."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _json_type(kind: pa.DataType) -> pa.DataType:
    """Return the type whose Python values JSON can hold, and from which `kind` can be cast."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _json_type(kind.storage_type)
    if types.is_dictionary(kind):
        return _json_type(kind.value_type)
    if types.is_date32(kind) or types.is_time32(kind):
        return pa.int32()
    if types.is_temporal(kind):
        return pa.int64()
    if types.is_decimal(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_float16(kind):
        return pa.float32()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_json_type(field.type)) for field in kind])
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_json_type(kind.value_type)), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_json_type(kind.value_type)))
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_json_type(kind.value_type)))
    return kind


def _children(kind: pa.DataType) -> list[pa.DataType]:
    if isinstance(kind, pa.BaseExtensionType):
        return [kind.storage_type]
    if pa.types.is_dictionary(kind):
        return [kind.value_type]
    return [kind.field(i).type for i in range(kind.num_fields)]


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def _holds_dictionary(kind: pa.DataType) -> bool:
    return pa.types.is_dictionary(kind) or any(map(_holds_dictionary, _children(kind)))


def _holds_bytes(kind: pa.DataType) -> bool:
    return _is_bytes(kind) or any(_holds_bytes(child) for child in _children(kind))


def _needs_walk(kind: pa.DataType) -> bool:
    """Return whether values of a type contain bytes or maps, which JSON represents otherwise."""
    if _is_bytes(kind) or pa.types.is_map(kind):
        return True
    return any(_needs_walk(child) for child in _children(kind))


def _to_json(value: Any, kind: pa.DataType, image_refs: list[ImageRef] | None) -> JSON:
    """Return a value with its bytes replaced; those of an image column go to `image_refs`."""
    if value is None:
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return _to_json(value, kind.storage_type, image_refs)
    if pa.types.is_dictionary(kind):
        return _to_json(value, kind.value_type, image_refs)
    if isinstance(value, bytes):
        if image_refs is None:
            return {_BASE64: base64.b64encode(value).decode("ascii")}
        image_refs.append(value)
        return {_IMAGE: len(image_refs) - 1}
    if pa.types.is_struct(kind):
        if image_refs is not None and value.get("path") and value.get("bytes") is None:
            image_refs.append(value["path"])
        return {field.name: _to_json(value[field.name], field.type, image_refs) for field in kind}
    if pa.types.is_map(kind):
        return [
            [_to_json(key, kind.key_type, None), _to_json(item, kind.item_type, None)]
            for key, item in value
        ]
    if isinstance(value, list):
        return [_to_json(item, kind.value_type, image_refs) for item in value]
    return value


def _from_json(value: JSON, kind: pa.DataType, images: tuple[ImageRef, ...]) -> Any:
    """Reverse `_to_json`; also accept images as records of other formats have them."""
    if value is None:
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return _from_json(value, kind.storage_type, images)
    if pa.types.is_dictionary(kind):
        return _from_json(value, kind.value_type, images)
    if _is_bytes(kind):
        return _bytes(value, images)
    if pa.types.is_struct(kind):
        if isinstance(value, (str, bytes)):
            value = {"path" if isinstance(value, str) else "bytes": value}
        elif isinstance(value, list):
            return _from_json(value[0], kind, images) if value else None
        return {f.name: _from_json(value.get(f.name), f.type, images) for f in kind}
    if pa.types.is_map(kind):
        return [
            (_from_json(key, kind.key_type, images), _from_json(item, kind.item_type, images))
            for key, item in value
        ]
    if isinstance(value, list):
        return [_from_json(item, kind.value_type, images) for item in value]
    return value


def _bytes(value: JSON, images: tuple[ImageRef, ...]) -> bytes | None:
    if isinstance(value, dict) and _BASE64 in value:
        return base64.b64decode(value[_BASE64])
    if isinstance(value, dict):
        value = images[value[_IMAGE]]
    elif isinstance(value, list):  # of a record made elsewhere, into a column of one image
        value = value[0] if value else None
    return value if isinstance(value, bytes) else None
