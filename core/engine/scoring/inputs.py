"""The inputs of embedders: which of a data set's images and texts there are, each once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ig4.core.texts import sanitize
from ig4.storage import spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.contracts.embedder import Reads

Keys: TypeAlias = "NDArray[np.generic]"
"""What the store knows inputs by, (n,): ids of images (int64), or digests of texts."""

EMPTY_TEXT = "the text is empty"


def text_of(reads: Reads, instruction: str, answer: str) -> str:
    """Return what an embedder of texts sees of a sample; see `Embedder.reads`."""
    if reads == "instruction":
        return sanitize(instruction)
    if reads == "answer":
        return sanitize(answer)
    return sanitize(f"{instruction}\n{answer}")


def digest_of_text(text: str) -> bytes:
    """Return the 16 bytes by which the store knows a text."""
    return hashlib.blake2b(text.encode(), digest_size=spaces.DIGEST.itemsize).digest()


def text_digests(
    connection: Connection, sample_ids: NDArray[np.int64], reads: Reads
) -> NDArray[np.void]:
    """Return the digest (n,) of what an embedder reads of each sample."""
    data = bytearray()
    for instruction, answer in spaces.texts(connection, sample_ids):
        data += digest_of_text(text_of(reads, instruction, answer))
    return np.frombuffer(data, dtype=spaces.DIGEST)


def first_places(values: Keys) -> NDArray[np.int64]:
    """Return the places (m,) at which each distinct value stands for the first time, ascending."""
    if np.issubdtype(values.dtype, np.integer) and np.all(np.diff(values.view(np.int64)) > 0):
        return np.arange(len(values), dtype=np.int64)  # as in a data set that was read at once
    return np.sort(np.unique(values, return_index=True)[1]).astype(np.int64)


def contained(values: Keys, known: Keys) -> NDArray[np.bool_]:
    """Return which of `values` (integers, or digests) are in `known`, which is sorted."""
    if len(known) == 0:
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    found: NDArray[np.bool_] = known[at] == values
    return found
