"""Lazy evaluation changes how much is looked at, and nothing of what is taken."""

import numpy as np

from ig4.plugins.selectors.greedy.lazy import lazy_greedy


def test_few_candidates_are_evaluated_again():
    rng = np.random.default_rng(0)
    sets = rng.random((500, 300)) < 0.03
    covered = np.zeros(300, dtype=bool)
    looked = []

    def value_of(rows):
        looked.append(len(rows))
        return (sets[rows] & ~covered).sum(axis=1).astype(np.float64)

    picks = lazy_greedy(
        value_of(np.arange(500)),
        20,
        value_of,
        lambda row: np.logical_or(covered, sets[row], covered),
    )
    assert sum(looked) < 500 * 20 / 2

    covered[:] = False
    for row in picks.rows.tolist():
        gains = (sets & ~covered).sum(axis=1)
        gains[picks.rows[: picks.rows.tolist().index(row)]] = -1
        assert row == int(np.argmax(gains))
        covered |= sets[row]


def test_all_rows_can_be_taken_and_none():
    take_nothing = lazy_greedy(np.ones(3), 0, lambda rows: np.ones(len(rows)), lambda row: None)
    assert take_nothing.rows.tolist() == []
    everything = lazy_greedy(np.ones(3), 3, lambda rows: np.ones(len(rows)), lambda row: None)
    assert everything.rows.tolist() == [0, 1, 2]
