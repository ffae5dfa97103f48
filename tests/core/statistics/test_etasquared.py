"""Eta squared against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts import Groups
from ig4.core.statistics.etasquared import eta_squared, group_means

values = st.one_of(st.just(np.nan), st.floats(-1000, 1000).map(lambda x: round(x, 3)))
rows = st.lists(st.tuples(values, st.integers(-1, 3)), min_size=1, max_size=40)


def naive(pairs):
    """Return one minus the share of the variance inside groups."""
    known = [(x, g) for x, g in pairs if g >= 0 and not np.isnan(x)]
    if len({g for _, g in known}) < 2 or len({x for x, _ in known}) < 2:
        return None
    inside = 0.0
    for group in {g for _, g in known}:
        own = np.array([x for x, g in known if g == group])
        inside += ((own - own.mean()) ** 2).sum()
    all_ = np.array([x for x, _ in known])
    return 1 - inside / ((all_ - all_.mean()) ** 2).sum()


@given(rows)
def test_it_is_the_share_of_variance_that_is_not_inside_groups(pairs):
    column, labels = (np.array(part) for part in zip(*pairs, strict=True))
    found = eta_squared(column.astype(float), Groups(("a", "b", "c", "d"), labels))
    expected = naive(pairs)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, abs=1e-7)
        assert 0 <= found <= 1


def test_groups_that_are_constants_explain_all():
    groups = Groups(("a", "b"), np.array([0, 0, 1, 1]))
    assert eta_squared(np.array([1.0, 1, 5, 5]), groups) == pytest.approx(1)
    assert eta_squared(np.array([1.0, 5, 1, 5]), groups) == 0


def test_a_row_counts_in_each_of_its_groups():
    members = (np.array([0, 2, 3]), np.array([0, 1, 1]))
    groups = Groups(("a", "b", "c"), np.array([0, 1]), members)
    assert group_means(np.array([4.0, 2.0]), groups).tolist()[:2] == [4, 3]
    assert np.isnan(group_means(np.array([4.0, 2.0]), groups)[2])
