"""Counts of n-grams and common subsequences, for CIDEr and ROUGE-L."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

NGram: TypeAlias = tuple[str, ...]


def ngrams(words: Sequence[str], longest: int) -> Counter[NGram]:
    """Return how often each n-gram of 1 to `longest` words occurs."""
    return Counter(
        tuple(words[at : at + n]) for n in range(1, longest + 1) for at in range(len(words) - n + 1)
    )


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest sequence of words that both have in order.

    The table's rows are the bits of one integer (Hyyrö, 2004): fast for texts of any length.
    """
    places: dict[str, int] = {}
    for n, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << n
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & full
    return len(first) - row.bit_count()
