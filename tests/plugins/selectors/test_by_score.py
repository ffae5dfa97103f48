"""Selectors that go by one score: strata, the middle, a threshold, the longest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.errors import UsageError
from ig4.plugins.selectors.ccs import deal_evenly

from .pools import pool_of, selector


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.data())
def test_budgets_are_dealt_from_the_smallest_on(counts, data):
    size = data.draw(st.integers(0, sum(counts)))
    budgets = deal_evenly(np.array(counts), size)
    # CCS, algorithm 1: the smallest stratum that is left, floor(budget / strata left).
    expected, left = [0] * len(counts), size
    waiting = [i for i, count in enumerate(counts) if count]
    while waiting:
        smallest = min(waiting, key=lambda i: (counts[i], i))
        expected[smallest] = min(counts[smallest], left // len(waiting))
        left -= expected[smallest]
        waiting.remove(smallest)
    assert budgets.tolist() == expected
    assert budgets.sum() == size


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 100), st.sampled_from(["low", "high"]))
def test_ccs_drops_the_hardest_and_gives_each_stratum_its_budget(seed, size, hard):
    made = selector("ccs", score="loss", drop=0.2, strata=5, hard=hard)
    values = np.random.default_rng(seed).gamma(2.0, size=100)
    pool = pool_of(made, n=100, size=size, seed=seed, raw={"loss": values})
    rows = made.choose(pool)
    dropped = min(20, 100 - size)
    line = np.sort(values if hard == "low" else -values)[dropped]
    assert ((values if hard == "low" else -values)[rows] >= line).all()
    kept = np.sort(values)[dropped:] if hard == "low" else np.sort(values)[: 100 - dropped]
    edges = np.linspace(kept.min(), kept.max(), 6)[1:-1]
    budgets = deal_evenly(np.bincount(np.digitize(kept, edges), minlength=5), size)
    assert np.bincount(np.digitize(values[rows], edges), minlength=5).tolist() == budgets.tolist()
    told = made.reasons(pool, int(rows[0]))
    assert told["budget"] == budgets[told["stratum"]] > 0


def test_ccs_tells_what_it_dropped():
    made = selector("ccs", drop=0.5)
    pool = pool_of(made, n=4, size=2, scores=[1, 2, 3, 4])
    assert made.reasons(pool, 0) == {"score": 1.0, "stratum": -1}
    assert sorted(made.choose(pool).tolist()) == [2, 3]


def test_ccs_draws_others_with_another_seed():
    made = selector("ccs", strata=3)
    scores = np.arange(100.0)
    first, second = (
        set(made.choose(pool_of(made, n=100, size=20, seed=seed, scores=scores)).tolist())
        for seed in (0, 1)
    )
    assert first != second


def test_equal_scores_are_one_stratum():
    made = selector("ccs")
    assert len(made.choose(pool_of(made, n=10, size=9, scores=[5.0] * 10))) == 9


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.floats(0, 1), st.data())
def test_middle_takes_the_ranks_next_to_the_centre(scores, centre, data):
    size = data.draw(st.integers(1, len(scores)))
    made = selector("middle", centre=centre)
    rows = made.choose(pool_of(made, n=len(scores), size=size, scores=scores))
    ranks = [
        (sum(other < own for other in scores) + scores.count(own) / 2) / len(scores)
        for own in scores
    ]
    expected = sorted(range(len(scores)), key=lambda i: (round(abs(ranks[i] - centre), 12), i))
    assert np.abs(np.array(ranks)[rows] - centre) == pytest.approx(
        np.abs(np.array(ranks)[expected[:size]] - centre)
    )


def test_middle_of_five_is_the_third():
    made = selector("middle", score="loss")
    pool = pool_of(made, n=5, size=3, raw={"loss": [9, 1, 5, 3, 7]})
    assert made.choose(pool).tolist() == [2, 3, 4]
    assert made.reasons(pool, 2) == {"score": 5.0, "rank": 0.5}
    (why,) = made.reasons(pool, 0)["rejected_by"]
    assert why == (
        "its rank, 0.9000, is 0.4000 from the centre 0.5, and the farthest that is taken is 0.2000 "
        "from it"
    )


def test_alpagasus_takes_the_best_rated_and_breaks_ties_by_the_final_score():
    made = selector("alpagasus", rating="stars", threshold=4.5)
    pool = pool_of(
        made, n=6, size=4, scores=[1, 2, 3, 4, 5, 6], raw={"stars": [4.5, 5, 4.5, 5, 4.5, 4]}
    )
    assert made.choose(pool).tolist() == [3, 1, 4, 2]


def test_alpagasus_takes_nothing_below_the_threshold():
    made = selector("alpagasus", rating="stars", threshold=4.5)
    pool = pool_of(made, n=3, size=2, scores=[1, 2, 3], raw={"stars": [4.4, 5, 1]})
    with pytest.raises(UsageError, match=r"1 of 3 samples have a stars rating of at least 4\.5"):
        made.choose(pool)


def test_longest_takes_the_longest_below_the_cap():
    lengths = {"length": [5, 100, 7, 7, 50, 1, 2, 3, 4, 6]}
    made = selector("longest")
    assert made.choose(pool_of(made, n=10, size=3, raw=lengths)).tolist() == [1, 4, 2]
    made = selector("longest", cap=0.8)
    pool = pool_of(made, n=10, size=3, raw=lengths)
    assert made.choose(pool).tolist() == [2, 3, 9]
    told = {"length": 100.0, "rank": 0.95}
    assert made.reasons(pool, 1) == {
        **told, "rejected_by": ["its rank by length, 0.9500, is above the cap 0.8"]
    }  # fmt: skip
    assert made.reasons(pool, 5)["rejected_by"] == [
        "its length is 1, and the shortest that is taken has 6"
    ]
    assert made.reasons(pool, 2) == {"length": 7.0, "rank": 0.7}
    with pytest.raises(UsageError, match=r"8 of 10 samples are left below the cap 0\.8"):
        made.choose(pool_of(made, n=10, size=9, raw=lengths))


def test_a_score_with_gaps_is_refused():
    made = selector("middle", score="loss")
    with pytest.raises(UsageError, match="1 sample of the pool have no loss score"):
        made.choose(pool_of(made, n=2, size=1, raw={"loss": [np.nan, 1]}))
