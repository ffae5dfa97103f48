"""Parquet files of vectors: read as they were written, by row; damage is told, never read over."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.storage.errors import StorageError
from ig4.storage.vectors import columnar
from ig4.storage.vectors.columnar import VectorFile, VectorFileError, write_vectors

pytestmark = pytest.mark.filterwarnings("error")


def matrix(rows, dimensions=4):
    return np.arange(rows * dimensions, dtype=np.float32).reshape(rows, dimensions) - 7.5


def write(path, vectors, key="image_id", keys=None):
    return write_vectors(path, key, keys or list(range(len(vectors))), vectors, {"ig4": "test"})


def test_any_tool_reads_keys_and_vectors(tmp_path):
    size = write(tmp_path / "a" / "x.parquet", matrix(3), keys=[5, 7, 9])
    table = pq.read_table(tmp_path / "a" / "x.parquet")
    assert table.column("image_id").to_pylist() == [5, 7, 9]
    assert table.column("vector").to_pylist() == matrix(3).tolist()
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 4)
    assert table.schema.metadata[b"ig4"] == b"test"
    assert size == (tmp_path / "a" / "x.parquet").stat().st_size


def test_digests_are_keys_of_16_bytes(tmp_path):
    keys = [bytes([n]) * 16 for n in range(3)]
    write(tmp_path / "x.parquet", matrix(3), key="digest", keys=keys)
    assert pq.read_table(tmp_path / "x.parquet").column("digest").to_pylist() == keys


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 99), max_size=40))
def test_rows_are_read_in_any_order_and_as_often_as_asked(tmp_path_factory, wanted):
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    if not path.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(columnar, "GROUP_BYTES", 4 * 4 * 16)
            write(path, matrix(100))
    file = VectorFile(path)
    assert file.rows == 100
    found = file.take(np.array(wanted, dtype=np.int64))
    assert found[: len(wanted)].tolist() == matrix(100)[wanted].tolist()
    file.close()


def test_values_keep_their_bits(tmp_path):
    odd = np.array([[np.nan, np.inf, -0.0], [1e-45, 3e38, -1.5]], dtype=np.float32)
    write(tmp_path / "x.parquet", odd)
    assert VectorFile(tmp_path / "x.parquet").take(np.array([0, 1])).tobytes() == odd.tobytes()


def test_a_row_that_is_not_there_is_refused(tmp_path):
    write(tmp_path / "x.parquet", matrix(3))
    for row in (-1, 3):
        with pytest.raises(VectorFileError, match="3 rows"):
            VectorFile(tmp_path / "x.parquet").take(np.array([row]))


def test_changed_bytes_of_a_vector_are_found_when_they_are_read(tmp_path):
    path = tmp_path / "x.parquet"
    write(path, matrix(100, 64))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(VectorFileError, match="checksum"):
        VectorFile(path).take(np.arange(100))


@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_a_file_that_was_cut_is_told(tmp_path, keep):
    path = tmp_path / "x.parquet"
    write(path, matrix(100))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if keep < 1 else keep])
    with pytest.raises(VectorFileError, match=r"x\.parquet cannot be read"):
        VectorFile(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(VectorFileError, match="is not there"):
        VectorFile(tmp_path / "x.parquet")


def test_a_file_of_something_else_is_told(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"other": [1, 2]}), path)
    with pytest.raises(VectorFileError, match="cannot be read"):
        VectorFile(path).take(np.array([0]))


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StorageError, match="stay in the database"):
        write(tmp_path / "a" / "x.parquet", matrix(3))
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_reading_holds_few_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(columnar, "GROUP_BYTES", 4 * 4 * 16)
    write(tmp_path / "x.parquet", matrix(1000))
    file = VectorFile(tmp_path / "x.parquet")
    file.take(np.arange(1000))
    assert len(file._groups) <= 4
