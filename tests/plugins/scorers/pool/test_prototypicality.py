"""Prototypicality against centres that are worked out one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts import Groups
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool.prototypicality import Prototypicality, PrototypicalityOptions


def score(rows, labels=None):
    scorer = Prototypicality(PrototypicalityOptions(groups="" if labels is None else "clusters"))
    data = ArrayPoolData(len(rows), spaces={"clip": rows})
    if labels is not None:
        data.groupings = {"clusters": Groups(("a", "b", "c"), np.array(labels))}
    return scorer.score_pool(make_pool(data, scorer.needs()))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-1, 2), min_size=1, max_size=12), st.integers(0, 99))
def test_it_is_the_cosine_with_the_centre_of_the_group(labels, seed):
    rows = np.random.default_rng(seed).normal(size=(len(labels), 4)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for value, own, label in zip(score(rows, labels), unit, labels, strict=True):
        if label < 0:
            assert np.isnan(value)
            continue
        centre = np.mean([u for u, other in zip(unit, labels, strict=True) if other == label], 0)
        assert value == pytest.approx(own @ centre / np.linalg.norm(centre), abs=1e-5)


def test_without_groups_the_pool_has_one_centre():
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    assert score(rows) == pytest.approx(score(rows, [0] * 9))


def test_percent_is_100_times_the_cosine():
    scorer = Prototypicality(PrototypicalityOptions())
    assert scorer.to_percent(np.array([-0.5, 0.5, 1.0])).tolist() == [0, 50, 100]
