"""Reads the members of a tar in their order, forward only: nothing is unpacked, no link followed.

Headers are bounded, so that no tar takes more memory than one of its members may.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = tarfile.BLOCKSIZE
_LARGEST_HEADER = 1 << 20  # bytes of what stands before a member: a name, what PAX says of it
_MOST_HEADERS = 64  # before one member
_MOST_KEYS = 1 << 14  # in one PAX header
_LARGEST_MEMBER = 1 << 62
_PIECE = 1 << 20
_PAX, _PAX_GLOBAL = tarfile.XHDTYPE, tarfile.XGLTYPE
_LONG_NAME, _LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
_SPARSE = "it is stored with holes (a sparse file): write the tar without --sparse"
_HOLES_GO_ON = {False: 482, True: 504}  # where a first, or a further, header of holes says so
_KINDS = {
    tarfile.LNKTYPE: "it is a link",
    tarfile.SYMTYPE: "it is a link",
    tarfile.CHRTYPE: "it is a device",
    tarfile.BLKTYPE: "it is a device",
    tarfile.FIFOTYPE: "it is a named pipe",
    tarfile.GNUTYPE_SPARSE: _SPARSE,
}
_ENCODING, _ERRORS = "utf-8", "surrogateescape"


class BrokenTarError(Exception):
    """The rest of a tar cannot be read; the text says why, and members before it are good."""


class UnmarkedEndError(BrokenTarError):
    """A tar ends without its mark: all members are whole, but there may have been more."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """One file in a tar: its name as it stands there, and where its bytes are.

    `offset` and `size` count bytes, in a compressed tar of what it unpacks to. `problem` says why
    it is no plain file. Bytes of a name that are no UTF-8 are lone surrogates ("surrogateescape"),
    so that two names stay two.
    """

    name: str
    offset: int
    size: int
    problem: str | None
    _stream: _Forward

    def read(self) -> bytes:
        """Return the bytes; possible until the next member is asked for.

        Raises:
            BrokenTarError: the tar ends before.
        """
        return self._stream.exactly(self.size)


class _Forward:
    """A file that is read forward, and knows where it is."""

    def __init__(self, file: BinaryIO, size: int | None) -> None:
        self._file = file
        self._size = size  # None of what is unpacked while it is read
        self.at = 0

    def block(self) -> bytes:
        data = self._file.read(BLOCK)
        self.at += len(data)
        return data

    def exactly(self, count: int) -> bytes:
        """Read piece by piece: a size that a header claims takes no memory before it is there."""
        self.require(self.at + count)
        found = bytearray()
        while len(found) < count:
            piece = self._file.read(min(_PIECE, count - len(found)))
            if not piece:
                raise BrokenTarError("it ends in the middle of a member: it was cut off")
            found += piece
            self.at += len(piece)
        return bytes(found)

    def skip_to(self, end: int) -> None:
        if self._size is not None:
            if end > self._size:
                raise BrokenTarError("it ends in the middle of a member: it was cut off")
            self._file.seek(end)
            self.at = end
            return
        while self.at < end:
            self.exactly(min(_PIECE, end - self.at))

    def require(self, end: int) -> None:
        if self._size is not None and end > self._size:
            raise BrokenTarError("it ends in the middle of a member: it was cut off")


@dataclass(slots=True)
class _Said:
    """What the headers before a member say of it."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False
    sparse_name: str | None = None  # the true one: the other is a path that GNU tar made up
    headers: int = 0
    bytes: int = 0

    def count(self, size: int) -> None:
        """Count a header of so many bytes.

        Raises:
            BrokenTarError: it is one too many, or they are too large together.
        """
        self.headers += 1
        self.bytes += size
        if self.bytes > _LARGEST_HEADER:
            raise BrokenTarError(f"a header in it has {size:,} bytes, more than one may")
        if self.headers > _MOST_HEADERS:
            raise BrokenTarError(f"more than {_MOST_HEADERS} headers stand before one member")


def tar_members(file: BinaryIO) -> Iterator[TarMember]:
    """Yield the files of a tar in their order; folders are passed over.

    Tars that were joined into one are read to the end of the last.

    Raises:
        BrokenTarError: it is cut off or damaged, or a header is too large.
        UnmarkedEndError: it ends between two members without the mark of an end.
    """
    stream = _Forward(file, _size_of(file))
    said = _Said()
    while True:
        at = stream.at
        info = _header(stream, at)
        if info is None:
            return
        size = info.size if said.size is None else said.size
        begin, end = stream.at, stream.at + -(-size // BLOCK) * BLOCK
        if not 0 <= max(size, info.size) <= _LARGEST_MEMBER or min(size, info.size) < 0:
            raise BrokenTarError(f"it is damaged at byte {at:,}")
        if info.type in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            said.count(info.size)
            _note(info.type, stream.exactly(info.size), said)
            stream.skip_to(begin + -(-info.size // BLOCK) * BLOCK)
            continue
        has_data = info.type not in _KINDS or info.type == tarfile.GNUTYPE_SPARSE
        if info.type != tarfile.DIRTYPE:
            if has_data:
                stream.require(begin + size)
            problem = _SPARSE if said.sparse else _KINDS.get(info.type)
            name = said.sparse_name or said.name or info.name
            yield TarMember(name, begin, size, problem, stream)
        stream.skip_to(end if has_data else begin)
        said = _Said()


def _header(stream: _Forward, at: int) -> tarfile.TarInfo | None:
    """Return the next header, or None at the end; blocks of zeros stand between joined tars."""
    block = stream.block()
    marked = block != b"" and not block.strip(b"\0")
    while block and not block.strip(b"\0"):
        block = stream.block()
    if not block:
        if not at and not marked:
            raise BrokenTarError("it is empty")
        if not marked:
            raise UnmarkedEndError("it ends without the mark of an end")
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, _ENCODING, _ERRORS)
    except (tarfile.HeaderError, ValueError, OverflowError):
        pass
    else:
        if info.type == tarfile.GNUTYPE_SPARSE:
            _skip_holes(stream, block)
        return info
    if len(block) < BLOCK:
        raise BrokenTarError("it ends in the middle of a header: it was cut off")
    raise BrokenTarError(f"it is damaged at byte {at:,}, or no tar")


def _skip_holes(stream: _Forward, block: bytes) -> None:
    """Move behind the further headers that say where the holes of an old GNU sparse file are."""
    further = False
    while block[_HOLES_GO_ON[further]]:
        block = stream.exactly(BLOCK)
        further = True


def _note(kind: bytes, data: bytes, said: _Said) -> None:
    if kind == _LONG_NAME:
        said.name = data.split(b"\0", 1)[0].decode(_ENCODING, _ERRORS)
    if kind != _PAX:
        return
    for key, value in _pax(data):
        if key == b"path":
            said.name = value.decode(_ENCODING, _ERRORS)
        elif key == b"size" and value.isdigit() and len(value) < 20:
            said.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            said.sparse = True
            if key == b"GNU.sparse.name":
                said.sparse_name = value.decode(_ENCODING, _ERRORS)


def _pax(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what `LENGTH KEY=VALUE` lines say, up to the first that is none.

    Raises:
        BrokenTarError: they are too many.
    """
    begin = keys = 0
    while begin < len(data):
        space = data.find(b" ", begin, begin + 10)
        digits = data[begin:space]
        if space < 0 or not digits.isdigit():
            return
        end = begin + int(digits)
        key, equals, value = data[space + 1 : end].partition(b"=")
        if not equals:  # nor is there one where the length is too small to move on
            return
        keys += 1
        if keys > _MOST_KEYS:
            raise BrokenTarError(f"a header in it has more than {_MOST_KEYS:,} entries")
        yield key, value.removesuffix(b"\n")
        begin = end


def _size_of(file: BinaryIO) -> int | None:
    """Return the size of a plain file; None of a stream that unpacks."""
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
        return os.fstat(file.fileno()).st_size
    return None
