"""Places of images inside of larger files, as text that a database can hold.

`OFFSET+LENGTH` are bytes of the file, as those of a member of a tar. `cell:ROW:NUMBER:COLUMN` is
one of the images of a row in a Parquet file.
"""

from __future__ import annotations

import errno
import re
from typing import BinaryIO, NamedTuple

from ig4.core.files.opening import LargeFileError
from ig4.core.files.reading.parquetcells import is_cell, read_cell

_BYTES = re.compile(r"(\d{1,19})\+(\d{1,19})")


class ByteRange(NamedTuple):
    """So many bytes of a file (`length`), from the `offset` on."""

    offset: int
    length: int

    @property
    def place(self) -> str:
        """The range as text."""
        return f"{self.offset}+{self.length}"

    @property
    def end(self) -> int:
        """The number of the first byte behind it."""
        return self.offset + self.length


def byte_range(place: str) -> ByteRange:
    """Return the range that a place says.

    Raises:
        ValueError: it says none.
    """
    found = _BYTES.fullmatch(place)
    if found is None:
        raise ValueError(f"{place!r} is no place in a file")
    return ByteRange(int(found[1]), int(found[2]))


def read_part(file: BinaryIO, place: str, limit: int) -> bytes:
    """Return the bytes of a part of a file.

    Raises:
        LargeFileError: they are more than `limit`.
        OSError: the file is shorter now, or has no such image any more.
        ValueError: the place is none.
    """
    if is_cell(place):
        data = read_cell(file, place)
        if len(data) > limit:
            raise LargeFileError(f"it is larger than {limit:,} bytes")
        return data
    wanted = byte_range(place)
    if wanted.length > limit:
        raise LargeFileError(f"it is larger than {limit:,} bytes")
    file.seek(wanted.offset)
    data = file.read(wanted.length)
    if len(data) < wanted.length:
        raise OSError(errno.EIO, "the file that it is a part of is shorter now")
    return data
