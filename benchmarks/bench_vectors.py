"""Vectors in Parquet, as ig4 keeps them, beside other forms of Parquet, Lance, and the database.

python benchmarks/bench_vectors.py [--vectors 65536] [--dimensions 512] [--rounds 3]

Each form writes all vectors with their keys, and reads them into one array: all in order, 2,000 at
random in ascending order, and 256 side by side, as a batch of a scorer. The least of the rounds
counts; files are in the page cache. Lance (`pip install pylance`) is left out where it is not
installed.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ig4.storage.vectors.columnar import VectorFile, rows_of_a_group, write_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM, BATCH = 2000, 256
COMMIT = 64  # vectors that a batch commits


@dataclass(frozen=True)
class Form:
    """A way to keep vectors: writes all, and takes those of rows (n,) ascending."""

    name: str
    path: Path
    write: Callable[[], Any]
    take: Callable[[NDArray[np.int64]], NDArray[np.float32]]


def own(path: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Form:
    return Form(
        "Parquet as ig4 writes it",
        path,
        lambda: write_vectors(path, "image_id", keys.tolist(), vectors, {}),
        lambda rows: VectorFile(path).take(rows),
    )


def parquet(
    path: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32], compression: str
) -> Form:
    """Return Parquet whose numbers are as they are, without checksums of pages."""
    dimensions = vectors.shape[1]
    group = rows_of_a_group(dimensions)

    def write() -> None:
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimensions)
        pq.write_table(
            pa.table({"image_id": keys, "vector": column}),
            path,
            row_group_size=group,
            compression=compression,
            use_dictionary=False,
            write_statistics=["image_id"],
        )

    def take(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        file = pq.ParquetFile(path)
        found = np.empty((len(rows), dimensions), dtype=np.float32)
        group_of = rows // group
        for one in np.unique(group_of):
            column = file.read_row_group(int(one), columns=["vector"]).column(0)
            values = column.combine_chunks().flatten().to_numpy().reshape(-1, dimensions)
            mine = group_of == one
            found[mine] = values[rows[mine] - one * group]
        return found

    return Form(f"Parquet, compression {compression}", path, write, take)


def lance(path: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Form:
    import lance

    dimensions = vectors.shape[1]

    def write() -> None:
        shutil.rmtree(path, ignore_errors=True)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimensions)
        lance.write_dataset(pa.table({"image_id": keys, "vector": column}), path)

    def take(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        stored = lance.dataset(path)
        found = np.empty((len(rows), dimensions), dtype=np.float32)
        if len(rows) < len(keys):
            column = stored.take(rows, columns=["vector"]).column(0).combine_chunks()
            found[:] = column.flatten().to_numpy().reshape(-1, dimensions)
            return found
        at = 0
        for batch in stored.to_batches(columns=["vector"]):
            values = batch.column(0).flatten().to_numpy().reshape(-1, dimensions)
            found[at : at + len(values)] = values
            at += len(values)
        return found

    return Form("Lance", path, write, take)


def database(path: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Form:
    """Return a table of SQLite, as vectors are in the database itself."""
    numbers = keys.tolist()

    def write() -> None:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE e (key INTEGER, vector BLOB, UNIQUE (key))")
            for at in range(0, len(numbers), COMMIT):
                rows = [
                    (key, vector.tobytes())
                    for key, vector in zip(
                        numbers[at : at + COMMIT], vectors[at : at + COMMIT], strict=True
                    )
                ]
                with connection:
                    connection.executemany("INSERT INTO e VALUES (?, ?)", rows)

    def take(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
        with closing(sqlite3.connect(path)) as connection:
            for at in range(0, len(rows), 500):
                wanted = keys[rows[at : at + 500]].tolist()
                marks = ", ".join("?" * len(wanted))
                sql = f"SELECT vector FROM e WHERE key IN ({marks}) ORDER BY key"
                for n, (vector,) in enumerate(connection.execute(sql, wanted)):
                    found[at + n] = np.frombuffer(vector, dtype="<f4")
        return found

    return Form("SQLite", path, write, take)


def least(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(rounds):
        began = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - began)
    return best, found


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files if one.is_file())


def measure(form: Form, vectors: NDArray[np.float32], rounds: int) -> None:
    count = len(vectors)
    rng = np.random.default_rng(1)
    start = count // 3
    ways = {
        "all": np.arange(count),
        "random": np.sort(rng.choice(count, min(RANDOM, count), replace=False)),
        "batch": np.arange(start, start + min(BATCH, count - start)),
    }
    took = {"write": least(form.write, rounds)[0]}
    for name, rows in ways.items():
        took[name], found = least(lambda rows=rows: form.take(rows), rounds)  # type: ignore[misc]
        if not np.array_equal(found, vectors[rows]):
            raise SystemExit(f"{form.name}: {name} is not what was written")
    cells = "".join(f"{took[name]:10.3f}" for name in ("write", "all", "random"))
    megabytes = size_of(form.path) / 1e6
    print(f"{form.name:32}{cells}{1000 * took['batch']:10.2f}{megabytes:10.1f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--vectors", type=int, default=65_536)
    options.add_argument("--dimensions", type=int, default=512)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(given.vectors, given.dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = np.arange(given.vectors, dtype=np.int64)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forms = [
            own(folder / "own.parquet", keys, vectors),
            parquet(folder / "plain.parquet", keys, vectors, "none"),
            parquet(folder / "zstd.parquet", keys, vectors, "zstd"),
            database(folder / "vectors.db", keys, vectors),
        ]
        with suppress(ModuleNotFoundError):
            forms.insert(3, lance(folder / "vectors.lance", keys, vectors))
        print(f"{'':32}   write s     all s  random s  batch ms        MB")
        for form in forms:
            measure(form, vectors, given.rounds)


if __name__ == "__main__":
    main()
