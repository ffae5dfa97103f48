"""The check-up at the end of scoring is a small one."""

from __future__ import annotations

import pytest

from ig4.core.engine.checkups.request import CheckRequest


@pytest.mark.parametrize(
    ("computed", "pairs"), [(1, 100), (999, 100), (3439, 343), (5000, 500), (10**6, 500)]
)
def test_a_tenth_of_what_was_computed_is_rated_again_within_limits(computed, pairs):
    assert CheckRequest().at_once(computed).pairs == pairs


def test_fewer_stay_fewer():
    assert CheckRequest(pairs=30).at_once(10**6).pairs == 30
