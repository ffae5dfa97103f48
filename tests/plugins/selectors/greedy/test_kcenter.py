"""k-center takes the farthest row each time, and covers within twice the least radius."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.plugins.selectors.greedy.kcenter import (
    farthest_from_the_middle,
    k_center,
    nearest_to_the_middle,
)

from .points import greedy_faults, points, points_and_size, same_rows


def distances(vectors):
    wide = vectors.astype(np.float64)
    return np.linalg.norm(wide[:, None] - wide[None], axis=2)


@given(given_=points_and_size())
def test_each_row_is_the_farthest_from_those_before(given_):
    vectors, size = given_
    apart = distances(vectors)
    picks = k_center(vectors, size, 0)
    assert picks.rows[0] == 0
    assert np.isinf(picks.gains[0])

    def worth(taken):
        return apart[:, taken].min(axis=1) if len(taken) else -np.arange(len(apart), dtype=float)

    assert greedy_faults(picks.rows, worth, same_rows(vectors)) == []
    assert len(set(picks.rows.tolist())) == size


@given(given_=points_and_size(least=3, most=8))
@settings(max_examples=50)
def test_the_radius_is_at_most_twice_the_least(given_):
    vectors, size = given_
    apart = distances(vectors)
    subsets = combinations(range(len(vectors)), size)
    least = min(apart[:, rows].min(axis=1).max() for rows in subsets)
    radius = apart[:, k_center(vectors, size, 0).rows].min(axis=1).max()
    assert radius <= 2 * least + 1e-5


@given(vectors=points(least=3), share=st.floats(0, 0.9))
def test_late_rows_come_after_all_others(vectors, share):
    late = farthest_from_the_middle(vectors, share)
    assert late.sum() == int(share * len(vectors))
    first = int(np.flatnonzero(~late)[0])
    rows = k_center(vectors, len(vectors), first, late).rows
    assert late[rows].tolist() == sorted(late.tolist())


def test_the_middle_is_the_mean():
    vectors = np.array([[0, 0], [5, 0], [4, 2], [9, 9]], dtype=np.float32)
    assert nearest_to_the_middle(vectors) == 2
    assert farthest_from_the_middle(vectors, 0.25).tolist() == [False, False, False, True]
