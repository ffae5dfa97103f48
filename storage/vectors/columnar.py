"""Parquet files of vectors: a column with the key of each, and one with the vectors.

Rows stand in groups of about half a megabyte, which are read one at a time; pages have checksums,
which are verified when they are read. The four bytes of each float32 are split into streams and
compressed: a sixth smaller, and as fast to read as without (`benchmarks/bench_vectors.py` compares
this with other forms, Lance, and the database).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.storage.durable import name_durably
from ig4.storage.errors import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP_BYTES = 1 << 19
"""About so many bytes of vectors are a row group: what one read brings."""

VECTOR = "vector"
"""The name of the column of vectors."""

NAME = "ig4_file"
"""The name in a file's metadata of the name that it was written under."""

_KEPT = 4  # row groups in memory

REMEDY = "let `ig4 db check --repair` free its vectors to be computed again."
"""What to do where the vectors of a file cannot be read."""


class VectorFileError(StorageError):
    """A file of vectors is not there, or is not what was written."""


def write_vectors(
    path: Path,
    key: str,
    keys: Sequence[int] | Sequence[bytes],
    vectors: NDArray[np.float32],
    metadata: Mapping[str, str],
) -> int:
    """Write vectors (n, d) float32 under their keys, whole or not at all; returns the bytes.

    The file is on the disk when this returns. Keys are numbers, or digests of 16 bytes.

    Raises:
        StorageError: it cannot be written, or pyarrow is not installed.
    """
    arrow, parquet = require_parquet()
    dimensions = vectors.shape[1]
    flat = arrow.array(np.ascontiguousarray(vectors).reshape(-1))
    column = arrow.FixedSizeListArray.from_arrays(flat, dimensions)
    kind = arrow.binary(16) if isinstance(keys[0], bytes) else arrow.int64()
    schema = arrow.schema(
        [arrow.field(key, kind, nullable=False), arrow.field(VECTOR, column.type, nullable=False)],
        metadata=dict(metadata),
    )
    table = arrow.Table.from_arrays([arrow.array(keys, kind), column], schema=schema)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(
            table,
            partial,
            row_group_size=rows_of_a_group(dimensions),
            compression="zstd",
            use_dictionary=False,
            column_encoding={f"{VECTOR}.list.element": "BYTE_STREAM_SPLIT"},
            write_statistics=[key],
            write_page_checksum=True,
        )
        name_durably(partial, path)
        return path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"The vectors cannot be written to {path}: {error.strerror or error}. They stay in the "
            "database; free some space, or check the permissions, and start again."
        ) from None
    finally:
        with suppress(OSError):  # as where there cannot be such a file
            partial.unlink()


def rows_of_a_group(dimensions: int) -> int:
    """Return how many vectors of so many numbers stand in a row group."""
    return max(16, GROUP_BYTES // (4 * dimensions))


class VectorFile:
    """An open file of vectors, which holds `rows` of `dimensions` numbers; close it when done."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        """Open it; `name` is the one that it was written under, within its folder.

        Raises:
            VectorFileError: it is not there, no file of vectors, or another one.
        """
        arrow, parquet = require_parquet()
        self.path = path
        self._damage: tuple[type[Exception], ...] = (arrow.ArrowException, OSError, ValueError)
        self._groups: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        try:
            self._file = parquet.ParquetFile(path, page_checksum_verification=True)
        except FileNotFoundError:
            raise VectorFileError(f"{path} is not there: bring it back, or {REMEDY}") from None
        except self._damage as error:
            raise VectorFileError(
                f"{path} cannot be read: {_first_line(error)}; {REMEDY}"
            ) from None
        schema = self._file.schema_arrow
        kind = schema.field(VECTOR).type if VECTOR in schema.names else None
        if kind is None or not arrow.types.is_fixed_size_list(kind):
            raise VectorFileError(f"{path} cannot be read: it is no file of vectors")
        written = (schema.metadata or {}).get(NAME.encode(), b"").decode(errors="replace")
        if name and written and written != name:
            raise VectorFileError(
                f"{path} is another file of vectors ({written}): bring its own back, or {REMEDY}"
            )
        facts = self._file.metadata
        counts = [facts.row_group(one).num_rows for one in range(facts.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.rows = int(self._starts[-1])

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors (n, d) float32 of rows (n,); fastest where these are ascending.

        Raises:
            VectorFileError: there is no such row, or what is read is not what was written.
        """
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.rows):
            raise VectorFileError(f"{self.path} has {self.rows:,} rows, and not the one wanted")
        group_of = np.searchsorted(self._starts, rows, side="right") - 1
        found: NDArray[np.float32] | None = None
        for group in np.unique(group_of):
            vectors = self._group(int(group))
            if found is None:
                found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
            mine = group_of == group
            found[mine] = vectors[rows[mine] - self._starts[group]]
        return np.empty((0, 0), dtype=np.float32) if found is None else found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _group(self, group: int) -> NDArray[np.float32]:
        known = self._groups.get(group)
        if known is None:
            known = self._groups[group] = self._read(group)
            if len(self._groups) > _KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(group)
        return known

    def _read(self, group: int) -> NDArray[np.float32]:
        try:
            column = self._file.read_row_group(group, columns=[VECTOR]).column(0)
            values = column.combine_chunks().flatten().to_numpy()
            return np.asarray(values.reshape(len(column), -1), dtype=np.float32)
        except self._damage as error:
            raise VectorFileError(
                f"{self.path} cannot be read: {_first_line(error)}; {REMEDY}"
            ) from None


def require_parquet() -> tuple[Any, Any]:
    """Return pyarrow, and its part for Parquet.

    Raises:
        StorageError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise StorageError(
            'Vectors that lie in files need pyarrow: pip install "ig4[parquet]"'
        ) from None
    return pyarrow, pyarrow.parquet


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
