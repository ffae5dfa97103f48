"""Runs of words: what CIDEr and ROUGE-L count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

NGram: TypeAlias = tuple[str, ...]


def ngrams(words: Sequence[str], longest: int) -> Counter[NGram]:
    """Return how often each run of 1 to `longest` words occurs."""
    return Counter(
        tuple(words[at : at + n]) for n in range(1, longest + 1) for at in range(len(words) - n + 1)
    )


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest sequence of words that both have in order."""
    row = [0] * (len(second) + 1)
    for one in first:
        left_above = 0
        for at, other in enumerate(second, 1):
            above = row[at]
            row[at] = left_above + 1 if one == other else max(above, row[at - 1])
            left_above = above
    return row[-1]
