"""Unpacks images that a server sends compressed, as stores do that hold them so (gzip)."""

from __future__ import annotations

import zlib

from ig4.core.files.remote.errors import RemoteFileError, TransientError

_GZIP_OR_ZLIB = 47  # told apart by zlib
_CODINGS = ("gzip", "x-gzip", "deflate")


class Unpacking:
    """Bytes of one answer on their way out of its `Content-Encoding`; as they are without one."""

    def __init__(self, coding: str, limit: int | None) -> None:
        self._most = 0 if limit is None else limit + 1
        is_packed = coding.strip().lower() in _CODINGS
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB) if is_packed else None

    def unpack(self, piece: bytes) -> bytes:
        """Return what a piece holds: at most one byte more than the limit.

        Raises:
            RemoteFileError: it is not packed as the server says.
        """
        if self._stream is None:
            return piece
        try:
            return self._stream.decompress(piece, self._most)
        except zlib.error:
            raise RemoteFileError("the server says that it is compressed, and it is not") from None

    def end(self) -> None:
        """Make sure that all came.

        Raises:
            TransientError: the end is missing.
        """
        if self._stream is not None and not self._stream.eof:
            raise TransientError("the connection broke")
