"""Reads vectors, and their ids where a file has such: npy, npz, Parquet, safetensors, .pt."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ig4.core.errors import DatasetError, MissingExtraError, UsageError
from ig4.core.files.opening import open_file
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.files.reading.parquetpages import reading_parquet
from ig4.core.files.reading.tables import ID_COLUMNS, text_id
from ig4.core.files.vectors.torchfile import read_tensors

ENDINGS = (".npy", ".npz", ".parquet", ".safetensors", ".pt", ".pth")
NAMES = ("vectors", "embeddings", "embedding", "vector", "features")
"""Usual names of what holds the vectors; the first that is there counts."""

_MOST_HEADER = 100_000_000  # bytes, as safetensors itself allows
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U8": "<u1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Vectors (n, d) of a file, as it has them (any real numbers), and an id of each, or None.

    Without ids, `others` are the further arrays or columns, by name, that have a text or whole
    number of its own for each row: they may be ids.
    """

    vectors: NDArray[Any]
    ids: Sequence[str | None] | None = None
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read_vectors(path: Path, *, key: str | None = None, id_key: str | None = None) -> VectorFile:
    """Return what a file holds; `key` names the array, tensor or column of vectors.

    `id_key` names the array or column of ids; by default one of the usual names counts, if there.

    Raises:
        DatasetError: it cannot be read, is damaged, or would have to be unpickled.
        UsageError: it is no such file, holds no vectors, or several and `key` does not say which.
        MissingExtraError: Parquet without pyarrow.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{path} is none of the files of vectors: {', '.join(ENDINGS)}")
    try:
        open_file(path).close()
        if ending == ".parquet":
            return _read_parquet(path, key, id_key)
        if ending == ".npy":
            _refuse_key(path, key)
            return VectorFile(_matrix(path, np.load(path, mmap_mode="r", allow_pickle=False)))
        if ending == ".npz":
            arrays = _read_npz(path)
        elif ending == ".safetensors":
            arrays = _read_safetensors(path)
        else:
            arrays = read_tensors(path)
    except OSError as error:
        raise unreadable_error(path, error) from None
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise DatasetError(f"{path} cannot be read: {_told(error)}") from None
    return _chosen(path, arrays, key, id_key)


def _told(error: Exception) -> str:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return "it holds Python objects, which are never unpickled: save plain numbers"
    if isinstance(error, MemoryError):
        return "it claims more numbers than there is memory"
    return " ".join(str(error).split())[:200]


def _refuse_key(path: Path, key: str | None) -> None:
    if key is not None:
        raise UsageError(f"{path} holds one array, which has no name: leave --key out")


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        if not 2 <= length <= min(_MOST_HEADER, size - 8):
            raise ValueError("its header is not that of a safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise KeyError("its header is not that of a safetensors file")
    data = (
        np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
        if size > 8 + length
        else (np.empty(0, dtype=np.uint8))
    )
    found = {}
    for name, one in header.items():
        if name != "__metadata__" and isinstance(one, dict) and one.get("dtype") in _TYPES:
            found[name] = _safetensor(data, name, one)
    return found


def _safetensor(data: NDArray[Any], name: str, one: Mapping[str, Any]) -> NDArray[Any]:
    shape, (start, end) = one["shape"], one["data_offsets"]
    dtype = np.dtype(_TYPES[one["dtype"]])
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if not 0 <= start <= end <= len(data) or end - start != count * dtype.itemsize:
        raise ValueError(f"the tensor {name!r} does not lie where its header says")
    values = np.frombuffer(data[start:end].tobytes(), dtype=dtype).reshape(shape)
    if one["dtype"] == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _chosen(
    path: Path, arrays: Mapping[str, NDArray[Any]], key: str | None, id_key: str | None
) -> VectorFile:
    """Return the vectors and the ids among named arrays."""
    wide = {name: one for name, one in arrays.items() if one.ndim == 2 and one.dtype.kind in "fiu"}
    name = _choose(path, list(wide), list(arrays), key)
    ids = _ids(path, arrays, id_key)
    matrix = _matrix(path, arrays[name])
    if ids is not None and len(ids) != len(matrix):
        raise UsageError(f"{path} has {len(matrix):,} vectors, and {len(ids):,} ids")
    others = {}
    if ids is None:
        rest = {one: array for one, array in arrays.items() if one != name and array.ndim == 1}
        others = {one: _texts(array) for one, array in rest.items() if array.dtype.kind in "USOiu"}
    return VectorFile(matrix, ids, _distinct(others, len(matrix)))


def _choose(path: Path, wide: Sequence[str], names: Sequence[str], key: str | None) -> str:
    if key is not None:
        if key not in names:
            raise UsageError(f"{path} has no {key!r} (it has: {_listed(names)})")
        return key
    if len(wide) == 1:
        return wide[0]
    usual = [name for name in NAMES if name in wide]
    if usual:
        return usual[0]
    if not wide:
        raise UsageError(f"{path} holds no matrix of numbers (it has: {_listed(names)})")
    raise UsageError(f"{path} holds several matrices: name one with --key ({_listed(wide)})")


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > 8 else ""
    return (", ".join(names[:8]) or "nothing") + more


def _ids(
    path: Path, arrays: Mapping[str, NDArray[Any]], id_key: str | None
) -> list[str | None] | None:
    if id_key is not None and id_key not in arrays:
        raise UsageError(f"{path} has no {id_key!r} (it has: {_listed(list(arrays))})")
    name = id_key or next((one for one in ID_COLUMNS if one in arrays), None)
    if name is None:
        return None
    if arrays[name].ndim != 1:
        raise UsageError(
            f"{path}: {name!r} has shape {arrays[name].shape}, not one id for each row"
        )
    return _texts(arrays[name])


def _texts(array: NDArray[Any]) -> list[str | None]:
    """Return values (n,) as ids."""
    return [
        text_id(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
        for value in array.tolist()
    ]


def _distinct(columns: Mapping[str, Sequence[str | None]], count: int) -> dict[str, list[str]]:
    """Return the columns that have another text for each of `count` rows."""
    found = {}
    for name, values in columns.items():
        texts = [value for value in values if value is not None]
        if len(texts) == len(values) == count == len(set(texts)):
            found[name] = texts
    return found


def _matrix(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array if it is vectors.

    Raises:
        UsageError: it is not (n, d) of real numbers.
    """
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "fiu":
        raise UsageError(
            f"{path} holds {array.dtype} of shape {array.shape}: vectors are (n, d) real numbers, "
            "a row for each sample"
        )
    return array


def _read_parquet(path: Path, key: str | None, id_key: str | None) -> VectorFile:
    try:
        with reading_parquet(path) as file:
            return _from_columns(path, file, key, id_key)
    except ImportError:
        raise MissingExtraError(
            f"{path} is a Parquet file, which needs pyarrow: pip install 'ig4[parquet]'"
        ) from None
    except (UsageError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - those of pyarrow, which is not imported here
        raise DatasetError(f"{path} cannot be read: {_told(error)}") from None


def _from_columns(path: Path, file: Any, key: str | None, id_key: str | None) -> VectorFile:
    schema = file.schema_arrow
    wide = [one.name for one in schema if "list" in str(one.type)]
    name = _choose(path, wide, schema.names, key)
    if id_key is not None and id_key not in schema.names:
        raise UsageError(f"{path} has no column {id_key!r} (it has: {_listed(schema.names)})")
    own = id_key or next((one for one in ID_COLUMNS if one in schema.names), None)
    beside = [own] if own else [one.name for one in schema if _may_be_ids(str(one.type))]
    parts: list[NDArray[Any]] = []
    texts: dict[str, list[str | None]] = {one: [] for one in beside}
    width: int | None = None
    row = 0
    for batch in file.iter_batches(batch_size=4096, columns=[name, *beside]):
        column = batch.column(batch.schema.get_field_index(name))
        lengths = set(column.value_lengths().to_pylist())
        if None in lengths:
            raise UsageError(f"{path}: a row from {row + 1:,} on has no vector in {name!r}")
        lengths |= {width} if width is not None else set()
        if len(lengths) > 1:
            shown = ", ".join(map(str, sorted(lengths)))
            raise UsageError(f"{path}: the vectors of {name!r} have different lengths ({shown})")
        width = lengths.pop()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        parts.append(_matrix(path, flat.reshape(-1, max(1, width))))
        for one, values in texts.items():
            values.extend(map(text_id, batch.column(batch.schema.get_field_index(one)).to_pylist()))
        row += len(column)
    if not parts:
        raise UsageError(f"{path} has no rows")
    if own:
        return VectorFile(np.concatenate(parts), texts[own])
    return VectorFile(np.concatenate(parts), None, _distinct(texts, row))


def _may_be_ids(type_: str) -> bool:
    return type_ in ("string", "large_string", "string_view") or type_.startswith(("int", "uint"))
