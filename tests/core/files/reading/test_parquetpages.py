"""Parquet files that are small on disk and enormous in memory: read within bounds, or refused."""

from __future__ import annotations

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.reading import parquetpages
from ig4.core.files.reading.tables import open_parquet, parquet_batches, read_rows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BIG = bytes(1 << 18)


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """Limits that tests reach in no time."""
    monkeypatch.setattr(parquetpages, "BATCH_BYTES", 4 << 20)
    monkeypatch.setattr(parquetpages, "RECORD_BYTES", 16 << 20)


def repeated(count, value=BIG):
    """An array of one value that a dictionary holds once."""
    places = pa.array([0] * count, pa.int32())
    return pa.DictionaryArray.from_arrays(places, pa.array([value], pa.binary()))


def listed(count, each):
    """An array of `count` lists of `each` such values."""
    offsets = pa.array(range(0, count * each + 1, each), pa.int32())
    return pa.ListArray.from_arrays(offsets, repeated(count * each))


def written(tmp_path, column, **options):
    path = tmp_path / "set.parquet"
    table = pa.table({"answer": ["x"] * len(column), "image": column})
    options = {"compression": "zstd", "store_schema": False, **options}
    pq.write_table(table, path, **options)
    return path


def batches(path, most=64):
    with open_parquet(path) as file:
        for batch in parquet_batches(path, file, most):
            yield len(batch), batch.nbytes


@pytest.mark.parametrize("column", [repeated(100), listed(25, 4)], ids=["values", "lists"])
def test_a_value_that_each_row_repeats_is_read_a_few_rows_at_a_time(tmp_path, column):
    path = written(tmp_path, column)
    assert path.stat().st_size < 20_000
    sizes = list(batches(path))
    assert sum(rows for rows, _ in sizes) == len(column)
    assert max(size for _, size in sizes) <= 4 << 20


def test_a_row_that_holds_too_much_is_refused_and_named(tmp_path):
    path = written(tmp_path, listed(1, 200))
    with pytest.raises(DatasetError, match=r"row group 1 takes more .* 52,428,800 bytes in"):
        list(batches(path))


def test_lists_of_numbers_that_repeat_without_end_are_refused(tmp_path):
    nulls = pa.nulls(2_000_000, pa.int8())
    lists = pa.ListArray.from_arrays(pa.array([0, len(nulls)], pa.int32()), nulls)
    path = written(tmp_path, lists)
    with pytest.raises(DatasetError, match=r"lists of column image.* hold 2,000,000 values"):
        next(read_rows(path))


def test_a_page_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquetpages, "RECORD_BYTES", 1 << 17)
    path = written(tmp_path, pa.array([BIG]), use_dictionary=False)
    with pytest.raises(DatasetError, match=r"a page of column image holds 262,1\d\d bytes"):
        list(batches(path))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data_page_version": "2.0"},
        {"use_dictionary": False},
        {"compression": "none", "write_page_index": True, "write_page_checksum": True},
        {"column_encoding": {"answer": "DELTA_BYTE_ARRAY"}, "use_dictionary": ["tags"]},
    ],
)
def test_ordinary_files_are_read_in_full_batches(tmp_path, options):
    rows = 3000
    values = pa.array([f"{n} words of text" * 3 for n in range(rows)])
    path = tmp_path / "set.parquet"
    table = pa.table({"answer": values, "tags": pa.array([["a", f"b{n}"] for n in range(rows)])})
    pq.write_table(table, path, row_group_size=2000, data_page_size=4096, **options)
    if "column_encoding" not in options:  # values that repeat the one before may be long
        assert [count for count, _ in batches(path, 1000)] == [1000, 1000, 1000]
    assert list(read_rows(path)) == table.to_pylist()


def test_pages_are_understood_to_the_last(tmp_path):
    values = pa.array([f"{n:06d}" * 20 for n in range(5000)])
    path = written(tmp_path, values, data_page_size=2048, use_dictionary=False)
    with open_parquet(path) as file:
        (cost,) = (c for c in parquetpages.group_costs(path, file, 0) if c.path == "image")
    assert cost.row == pytest.approx(124, rel=0.02)  # four bytes of length and 120 of text
    assert not cost.repeats


def test_a_page_header_whose_struct_is_something_else_is_an_error_of_the_file(tmp_path):
    path = written(tmp_path, pa.array([BIG]), use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[content.index(0x2C)] = 0x21  # the page's own header: not a struct, but `true`
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"set\.parquet"):
        list(read_rows(path))
