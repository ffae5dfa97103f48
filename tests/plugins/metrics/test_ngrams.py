"""Runs of words are counted as in the textbook."""

from __future__ import annotations

import itertools
import random

from ig4.plugins.metrics.ngrams import longest_common_subsequence


def test_the_longest_common_subsequence_is_that_of_the_textbook():
    rng = random.Random(0)
    for _ in range(200):
        one = rng.choices("abcd", k=rng.randrange(12))
        other = rng.choices("abcd", k=rng.randrange(12))
        assert longest_common_subsequence(one, other) == textbook(one, other)
    assert longest_common_subsequence(["a"] * 5000, ["a"] * 4000) == 4000


def textbook(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in itertools.product(range(len(one)), range(len(other))):
        same = one[i] == other[j]
        table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]
