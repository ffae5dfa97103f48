"""Checksums of results, kept beside them: what changes on the disk is found by `ig4 db check`."""

from __future__ import annotations

from struct import Struct
from zlib import crc32

_SCORE = Struct("<qqd").pack
_KEYS = Struct("<qq").pack
_COMPONENT = Struct("<q").pack


def of_score(component: int, content: int, value: float | None, error: str | None) -> int:
    """Return the CRC-32 of a score with its keys; of its error if it has no value."""
    if value is None:
        return crc32(
            (error or "").encode("utf-8", "surrogatepass"), crc32(_KEYS(component, content))
        )
    return crc32(_SCORE(component, content, value + 0.0))  # SQLite stores -0.0 as 0.0


def of_vector(component: int, image: int, vector: bytes | None, error: str | None) -> int:
    """Return the CRC-32 of an embedding with its keys; of its error if there is no vector."""
    data = (error or "").encode("utf-8", "surrogatepass") if vector is None else vector
    return crc32(data, crc32(_KEYS(component, image)))


def of_input(component: int, digest: bytes, vector: bytes | None, error: str | None) -> int:
    """Return the CRC-32 of the vector of an input with its keys; of its error if there is none."""
    data = (error or "").encode("utf-8", "surrogatepass") if vector is None else vector
    return crc32(data, crc32(_COMPONENT(component) + digest))
