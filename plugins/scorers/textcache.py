"""Caches text embeddings, so that a repeated sentence is encoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ENTRY_BYTES = 400  # of dictionary, tuple and array headers, roughly


class EncodedText(NamedTuple):
    """A text's normalised embedding (d,) float32, and whether the text was too long for it."""

    vector: NDArray[np.float32]
    truncated: bool


class TextCache:
    """Text embeddings of at most `limit` bytes; the least recently used are dropped first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._texts: OrderedDict[str, EncodedText] = OrderedDict()

    def find(self, texts: Iterable[str]) -> dict[str, EncodedText]:
        """Return the cached ones of the texts, and mark them as just used."""
        found = {text: self._texts[text] for text in texts if text in self._texts}
        for text in found:
            self._texts.move_to_end(text)
        return found

    def add(self, encoded: Mapping[str, EncodedText]) -> None:
        """Add texts that `find` did not return, and drop the least recently used ones."""
        for text, one in encoded.items():
            self._texts[text] = one
            self.bytes += _size(text, one)
        while self.bytes > self.limit:
            self.bytes -= _size(*self._texts.popitem(last=False))


def _size(text: str, encoded: EncodedText) -> int:
    return _ENTRY_BYTES + 4 * len(text) + encoded.vector.nbytes
