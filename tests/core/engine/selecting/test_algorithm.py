"""Algorithm 1 of the paper: quotas by largest remainder, the best of each cluster, exact ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.engine.selecting.algorithm import (
    best_first,
    deal_quotas,
    final_scores,
    select_by_quota,
)
from ig4.core.errors import UsageError

counts = st.lists(st.integers(0, 5000), min_size=1, max_size=40).map(
    lambda values: np.array(values, dtype=np.int64)
)


@st.composite
def deals(draw):
    members = draw(counts)
    return members, draw(st.integers(0, int(members.sum())))


@given(deals())
def test_quotas_sum_to_the_size_and_never_exceed_a_cluster(deal):
    members, size = deal
    quotas = deal_quotas(members, size)
    assert quotas.sum() == size
    assert (quotas >= 0).all()
    assert (quotas <= members).all()


@given(deals())
def test_a_quota_is_its_exact_share_rounded_down_or_up(deal):
    members, size = deal
    if not members.sum():
        return
    whole = members * size // members.sum()
    extra = deal_quotas(members, size) - whole
    assert set(extra.tolist()) <= {0, 1}


def test_quotas_of_the_papers_clusters():
    members = np.array([1234, 300, 286, 325, 85, 59, 13, 177, 80, 880])  # 3,439 samples, K = 10
    # 200 x members / 3439 = 71.76 17.45 16.63 18.90 4.94 3.43 0.76 10.29 4.65 51.18
    assert deal_quotas(members, 200).tolist() == [72, 17, 17, 19, 5, 3, 1, 10, 5, 51]


def test_equal_remainders_go_to_the_larger_cluster_then_to_the_lower_label():
    assert deal_quotas(np.array([1, 1, 1]), 2).tolist() == [1, 1, 0]
    assert deal_quotas(np.array([1, 3]), 2).tolist() == [0, 2]  # both remainders are one half


def test_more_than_there_is_cannot_be_dealt():
    with pytest.raises(UsageError, match="cannot select 4 of 3 samples"):
        deal_quotas(np.array([1, 2]), 4)


def test_final_score_is_the_weighted_sum():
    percent = np.array([[30.0, 10.0], [20.0, 100.0]])
    assert final_scores(percent, np.array([0.53, 0.10])).tolist() == pytest.approx([16.9, 20.6])


def test_the_best_of_each_cluster_are_kept_and_ranked_over_all():
    scores = np.array([5.0, 9.0, 1.0, 7.0, 3.0, 2.0])
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert select_by_quota(scores, labels, 4).tolist() == [1, 3, 0, 4]


def test_ties_go_to_the_earlier_sample():
    labels = np.array([7, 7, 7, 7])
    assert select_by_quota(np.ones(4), labels, 2).tolist() == [0, 1]


@st.composite
def populations(draw):
    n = draw(st.integers(1, 60))
    scores = draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    return np.array(scores, dtype=float), np.array(labels), draw(st.integers(0, n))


@given(populations())
def test_no_sample_left_out_beats_one_taken_from_its_cluster(population):
    scores, labels, size = population
    taken = select_by_quota(scores, labels, size)
    assert len(set(taken.tolist())) == size
    left = np.setdiff1d(np.arange(len(scores)), taken)
    for label in np.unique(labels):
        inside, outside = taken[labels[taken] == label], left[labels[left] == label]
        if len(inside) and len(outside):
            assert scores[inside].min() >= scores[outside].max()


@given(populations())
def test_the_order_is_by_score_then_by_place(population):
    scores, _, _ = population
    order = best_first(scores).tolist()
    assert order == sorted(range(len(scores)), key=lambda row: (-scores[row], row))
