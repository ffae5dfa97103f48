"""The fast greedy DPP takes what determinants say, and goes on when the rank is used up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.plugins.selectors.greedy.dpp import Kernel, determinantal

from .points import greedy_faults, points_and_size, same_rows


def matrix(kernel):
    return np.array([kernel.row(row) for row in range(kernel.n)])


@pytest.mark.parametrize("name", ["cosine", "shifted-cosine", "rbf"])
@given(given_=points_and_size(), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_each_row_of_a_round_adds_most_to_the_determinant(name, given_, seed):
    vectors, size = given_
    quality = np.random.default_rng(seed).integers(1, 4, len(vectors)) / 2
    kernel = Kernel(normalised(vectors), quality, name, 0.7)
    full = matrix(kernel)
    picks = determinantal(kernel, size)
    first = picks.rows[picks.rounds == 0]

    def worth(taken):
        det = [np.linalg.det(full[np.ix_(rows, rows)]) for rows in _with_each(taken, kernel.n)]
        return np.array(det) / (np.linalg.det(full[np.ix_(taken, taken)]) if len(taken) else 1.0)

    assert greedy_faults(first, worth, same_rows(vectors, quality), 1e-4) == []
    _, volume = np.linalg.slogdet(full[np.ix_(first, first)])
    assert np.isclose(picks.gains[: len(first)].sum(), volume if len(first) else 0.0, atol=1e-3)
    assert sorted(set(picks.rows.tolist())) == sorted(picks.rows.tolist())
    assert len(picks.rows) == size


@pytest.mark.parametrize("name", ["cosine", "shifted-cosine", "rbf"])
def test_lengths_and_rounding_decide_nothing(name):
    vectors = np.random.default_rng(0).normal(size=(50, 512)).astype(np.float32)
    picks = [
        determinantal(Kernel(normalised(vectors * scale), np.ones(50), name), 5).rows.tolist()
        for scale in (1, 3, 7)
    ]
    assert picks[0][0] == 0  # all add the same at first: the lowest row
    assert picks[0] == picks[1] == picks[2]


def _with_each(taken, n):
    return [np.append(taken, row) for row in range(n)]


def test_a_used_up_rank_begins_a_new_round():
    unit = normalised(np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    picks = determinantal(Kernel(unit, np.ones(40), "cosine"), 10)
    assert picks.rounds.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert np.isfinite(picks.gains).all()


def test_rows_without_a_volume_come_last_and_the_better_first():
    unit = np.zeros((5, 3), dtype=np.float32)
    unit[3, 0] = 1
    quality = np.array([1.0, 2.0, 1.0, 1.0, 2.0])
    picks = determinantal(Kernel(unit, quality, "cosine"), 5)
    assert picks.rows.tolist() == [3, 1, 4, 0, 2]
    assert picks.rounds.tolist() == [0, -1, -1, -1, -1]


def test_an_equal_row_is_taken_only_in_a_later_round():
    unit = normalised(np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32))
    picks = determinantal(Kernel(np.concatenate([unit, unit]), np.ones(12), "cosine"), 12)
    assert sorted(picks.rows[:6].tolist()) == [0, 1, 2, 3, 4, 5]
    assert picks.rounds.tolist() == [0] * 6 + [1] * 6
