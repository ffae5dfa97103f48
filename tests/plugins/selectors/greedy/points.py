"""Points for the tests of greedy algorithms: few, with equal ones among them, and zeros."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import strategies as st


@st.composite
def points(draw, least=2, most=12):
    """Return points (n, d) float32 around nothing in particular; some stand there twice."""
    n = draw(st.integers(least, most))
    d = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = rng.normal(size=(n, d)).astype(np.float32)
    if draw(st.booleans()):
        distinct[draw(st.integers(0, n - 1))] = 0
    copies = draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))
    return distinct[copies] if draw(st.booleans()) else distinct


@st.composite
def points_and_size(draw, least=2, most=12):
    """Return points, and how many of them to take."""
    made = draw(points(least, most))
    return made, draw(st.integers(1, len(made)))


def greedy_faults(rows, value_of, same, tolerance=1e-5):
    """Return the steps at which a row was taken that was not the best, or not the first of those.

    `value_of(taken)` gives what each row (n,) is worth after those taken; `same` (n, n) tells which
    rows cannot be told apart: of such the lower one has to come first.
    """
    faults = []
    for step, row in enumerate(rows.tolist()):
        taken = rows[:step]
        left = np.setdiff1d(np.arange(len(same)), taken)
        values = value_of(taken)
        earlier = [other for other in left.tolist() if other < row and same[row, other]]
        if values[row] < values[left].max() - tolerance or earlier:
            faults.append((step, row, earlier))
    return faults


def same_rows(vectors, *more):
    """Return which rows (n, n) are equal, in vectors and in further values (n,)."""
    same = (vectors[:, None] == vectors[None]).all(axis=2)
    for values in more:
        same &= values[:, None] == values[None]
    return same


def best_subset(n, size, value):
    """Return the greatest `value(rows)` of all subsets of `size` rows."""
    return max(value(np.array(rows)) for rows in combinations(range(n), size))
