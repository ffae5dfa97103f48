"""Remembers what texts were embedded to, so that a sentence said twice is encoded once."""

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
    """The texts used last, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._texts: OrderedDict[str, EncodedText] = OrderedDict()

    def find(self, texts: Iterable[str]) -> dict[str, EncodedText]:
        """Return those of the texts that are known, which makes them the last used."""
        found = {text: self._texts[text] for text in texts if text in self._texts}
        for text in found:
            self._texts.move_to_end(text)
        return found

    def add(self, encoded: Mapping[str, EncodedText]) -> None:
        """Remember texts that `find` did not know; those not used for longest are forgotten."""
        for text, one in encoded.items():
            self._texts[text] = one
            self.bytes += _size(text, one)
        while self.bytes > self.limit:
            self.bytes -= _size(*self._texts.popitem(last=False))


def _size(text: str, encoded: EncodedText) -> int:
    return _ENTRY_BYTES + 4 * len(text) + encoded.vector.nbytes
