"""Reads the first sheet of an Excel file, row by row."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from ig4.core.errors import DatasetError, MissingExtraError
from ig4.core.files.opening import open_file
from ig4.core.records import JSON

MAX_BYTES = 1 << 30
"""Spreadsheets that unpack to more are refused: a small file may hold any number of zeros."""


def is_spreadsheet(path: Path) -> bool:
    """Tell whether a file is an Excel file, by its ending."""
    return path.suffix.lower() in (".xlsx", ".xlsm")


def spreadsheet_rows(path: Path) -> Iterator[dict[str, JSON]]:
    """Yield the rows of the first sheet under the names in its first row; empty cells are None.

    Raises:
        DatasetError: it cannot be read, unpacks to more than MAX_BYTES, or has no header.
        MissingExtraError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise MissingExtraError(
            f'{path.name} is a spreadsheet, which needs openpyxl: pip install "ig4[report]"'
        ) from None
    try:
        size = _unpacked_size(path)
        book = (
            None
            if size > MAX_BYTES
            else openpyxl.load_workbook(path, read_only=True, data_only=True)
        )
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever its parsers raise
        raise DatasetError(f"{path} is not a readable Excel file: {error}") from None
    if book is None:
        raise DatasetError(f"{path} unpacks to more than {MAX_BYTES:,} bytes")
    try:
        rows = book.worksheets[0].iter_rows(values_only=True) if book.worksheets else iter(())
        header = next(rows, None)
        if header is None or not any(header):
            raise DatasetError(f"{path} has no header row")
        names = ["" if name is None else str(name) for name in header]
        for cells in rows:
            if any(cell is not None for cell in cells):
                yield {name: cell for name, cell in zip(names, cells, strict=False) if name}
    finally:
        book.close()


def _unpacked_size(path: Path) -> int:
    """Return the bytes that a file claims to unpack to; no more of them are ever unpacked."""
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        return sum(part.file_size for part in archive.infolist())
