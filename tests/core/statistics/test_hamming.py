"""Hashes that differ in a few bits: exactly those that a comparison of all with all finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.statistics.hamming import are_hashes, near_hashes


def by_brute_force(signs, bits):
    return [
        (a, b, int((signs[a] != signs[b]).sum()))
        for a in range(len(signs))
        for b in range(a + 1, len(signs))
        if (signs[a] != signs[b]).sum() <= bits
    ]


@given(st.integers(0, 30), st.sampled_from([16, 64, 100]), st.integers(0, 12), st.integers(0, 99))
def test_it_finds_the_pairs_of_brute_force(n, width, bits, seed):
    rng = np.random.default_rng(seed)
    centres = rng.choice([-1.0, 1.0], size=(3, width))
    flipped = rng.random((n, width)) < rng.uniform(0, 0.15, (n, 1))
    signs = (centres[rng.integers(0, 3, n)] * np.where(flipped, -1, 1)).astype(np.float32)
    found = list(zip(*(part.tolist() for part in near_hashes(signs, bits)), strict=True))
    assert found == by_brute_force(signs, bits)


def test_more_rows_than_a_block_are_all_compared():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], size=(5000, 64)).astype(np.float32)
    signs[4990] = signs[3]
    signs[4990, :4] *= -1
    signs[2500] = signs[2400]
    first, second, differing = near_hashes(signs, 6)
    assert list(zip(first, second, differing, strict=True)) == [(3, 4990, 4), (2400, 2500, 0)]


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [([[1, -1], [-1, -1]], True), ([[1, 0.5]], False), ([[1, 0]], False), ([[1, np.nan]], False)],
)
def test_hashes_are_told_from_other_vectors(vectors, expected):
    assert are_hashes(np.array(vectors, dtype=np.float32)) is expected
