"""Opens files that may be compressed with gzip or Zstandard, by their first bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

from ig4.core.errors import DatasetError, MissingExtraError
from ig4.core.files.opening import open_file

COMPRESSED = (".gz", ".zst")
"""The endings of compressed files."""

DATA_SUFFIXES = frozenset(
    (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".tar", ".tgz")
)
"""The endings of files of records, without those of compression."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a cut off or broken gzip file raises; BadGzipFile is an OSError, too."""

_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4"}
_LOOKED_AT = 1 << 20


class BrokenZstdError(DatasetError):
    """A Zstandard file is cut off or broken; `reason` says how, without the file's name."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a whole Zstandard file: {reason}")
        self.reason = reason


def is_compressed(head: bytes) -> bool:
    """Tell by the first bytes of a file whether ig4 unpacks it as it reads."""
    return head[:2] == _GZIP or _is_zstd(head)


def _is_zstd(head: bytes) -> bool:
    """Tell whether a file is Zstandard's: some tools begin it with a frame that is skipped."""
    return head[:4] == _ZSTD or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5)


def refuse_broken(path: Path) -> None:
    """Refuse a file whose first bytes cannot be unpacked, or unpack to nothing.

    Raises:
        DatasetError: it is such a file, or compressed in a way that ig4 does not read.
        OSError: it cannot be opened.
    """
    with open_file(path) as file:
        head = file.peek(8)[:8]
    other = next((name for mark, name in _OTHERS.items() if head.startswith(mark)), None)
    if other is not None:
        raise DatasetError(
            f"{path} is compressed with {other}: unpack it, or compress it with gzip or zstd"
        )
    if not is_compressed(head):
        return
    try:
        with open_binary(path) as unpacked:
            is_empty = not unpacked.read(_LOOKED_AT)
    except BROKEN as error:
        raise broken_error(path, error) from None
    if is_empty:
        raise DatasetError(f"{path} is empty: nothing is compressed in it")


def broken_error(path: Path, error: Exception) -> DatasetError:
    """Return the error to raise for a gzip file that is cut off or broken."""
    return DatasetError(f"{path} is cut off or broken: it cannot be unpacked ({error})")


def data_suffix(path: Path) -> str:
    """Return a file's ending in lower case, without that of compression: ".jsonl" of a.jsonl.gz."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in COMPRESSED else suffix


def data_stem(path: Path) -> str:
    """Return a file's name without its endings: "a" of a.jsonl.gz."""
    return path.with_suffix("").stem if path.suffix.lower() in COMPRESSED else path.stem


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading bytes, unpacked as they are read.

    Raises:
        MissingExtraError: Zstandard without a library that reads it.
        OSError: the file cannot be opened.
    """
    file = open_file(path)
    try:
        mark = file.peek(4)[:4]
        if mark[:2] == _GZIP:
            return cast("BinaryIO", gzip.GzipFile(fileobj=file))
        return _unpacked_zstd(path, file) if _is_zstd(mark) else file
    except BaseException:
        file.close()
        raise


def _unpacked_zstd(path: Path, file: BinaryIO) -> BinaryIO:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14
    except ImportError:
        pass
    else:
        return cast("BinaryIO", zstd.ZstdFile(file))
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError(
            f"{path.name} is compressed with Zstandard, which needs pyarrow: pip install "
            '"ig4[parquet]", or unpack it with `unzstd`'
        ) from None
    return cast("BinaryIO", io.BufferedReader(_ArrowStream(path, file, pa)))


class _ArrowStream(io.RawIOBase):
    """Arrow's unpacking stream as a file of Python's; a broken one raises DatasetError."""

    def __init__(self, path: Path, file: BinaryIO, arrow: Any) -> None:
        self._path = path
        self._stream = arrow.CompressedInputStream(arrow.PythonFile(file, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        try:
            piece = self._stream.read(len(view))
        except OSError as error:
            raise BrokenZstdError(self._path, str(error)) from None
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
