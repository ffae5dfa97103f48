"""Counts the terms of texts: words and runs of words, hashed into a fixed number of features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EAST = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_EAST}]|[^\\W{_EAST}]+")
"""A run of letters and digits; of Chinese and Japanese, which put no spaces, each character."""

_MOST_WORDS = 1 << 20  # whose hashes are remembered


@dataclass(frozen=True, slots=True)
class TermCounts:
    """A sparse matrix (n, features) of counts, row by row.

    Row i has the counts `counts[s:e]` (float32, above 0) of the features `features[s:e]` (int64,
    ascending), for `s, e = starts[i:i + 2]`.
    """

    starts: NDArray[np.int64]
    features: NDArray[np.int64]
    counts: NDArray[np.float32]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


class _WordHashes(dict[str, int]):
    """The hash of each word, remembered."""

    def __missing__(self, word: str) -> int:
        if len(self) > _MOST_WORDS:
            self.clear()
        value = crc32(word.encode("utf-8", "surrogatepass"))
        self[word] = value
        return value


class TermCounter:
    """Counts terms; equal texts give equal counts, on any machine."""

    def __init__(self, features: int, ngrams: int) -> None:
        self.features = features
        self.ngrams = ngrams
        self._hashes = _WordHashes()

    def count(self, texts: Sequence[str]) -> TermCounts:
        """Return the counts of the terms of n texts, in lower case."""
        words = [_WORD.findall(text.lower()) for text in texts]
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        codes = np.fromiter(
            map(self._hashes.__getitem__, chain.from_iterable(words)),
            dtype=np.uint64,
            count=int(lengths.sum()),
        )
        row = np.repeat(np.arange(len(texts)), lengths)
        keys = [self._keys(row, codes)]
        runs = codes
        for n in range(2, self.ngrams + 1):
            # A run of n words: the run before it of n - 1, and the next word of the same text.
            runs = _mixed(runs[:-1]) + codes[n - 1 :]
            same = row[n - 1 :] == row[: len(runs)]
            keys.append(self._keys(row[n - 1 :][same], runs[same]))
        distinct, counts = np.unique(np.concatenate(keys), return_counts=True)
        starts = np.searchsorted(distinct, np.arange(len(texts) + 1) * self.features)
        return TermCounts(starts, distinct % self.features, counts.astype(np.float32))

    def _keys(self, row: NDArray[np.int64], codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        feature = (_mixed(codes) >> np.uint64(16)) % np.uint64(self.features)
        return row * self.features + feature.astype(np.int64)


def _mixed(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes whose bits are mixed well (the finaliser of splitmix64)."""
    mixed = codes + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found
