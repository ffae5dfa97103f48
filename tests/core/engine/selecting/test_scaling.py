"""Percent scales: what each does to values, and that order survives all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.engine.selecting.scaling import (
    PAPER_SCALES,
    RELATIVE,
    minmax,
    percentile,
    share_of_longest,
    zscore,
)

values = st.lists(
    st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=50
).map(lambda xs: np.array(xs, dtype=np.float64))


def test_the_papers_scales():
    assert PAPER_SCALES["clip"](np.array([30.0])).tolist() == [30.0]
    assert PAPER_SCALES["reward"](np.array([-1.5, 3.8])).tolist() == pytest.approx([-15.0, 38.0])
    assert PAPER_SCALES["gpt"](np.array([88.0])).tolist() == [88.0]
    assert PAPER_SCALES["length"](np.array([161.0, 1009.0])).tolist() == pytest.approx(
        [100 * 161 / 1009, 100.0]
    )


def test_lengths_of_nothing_are_zero_percent():
    assert share_of_longest(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_percentile_gives_equal_values_their_mean_rank():
    assert percentile(np.array([1.0, 2.0, 2.0, 3.0])).tolist() == [12.5, 50.0, 50.0, 87.5]


def test_zscore_has_mean_50_and_deviation_10():
    scaled = zscore(np.array([1.0, 2.0, 3.0, 10.0]))
    assert scaled.mean() == pytest.approx(50)
    assert scaled.std() == pytest.approx(10)


@pytest.mark.parametrize("scale", RELATIVE.values(), ids=RELATIVE)
def test_equal_values_lie_in_the_middle(scale):
    assert scale(np.full(3, 0.1)).tolist() == [50.0, 50.0, 50.0]


@pytest.mark.parametrize("scale", RELATIVE.values(), ids=RELATIVE)
def test_no_values_scale_to_no_values(scale):
    assert scale(np.empty(0)).tolist() == []


@given(values)
def test_minmax_and_percentile_stay_on_0_to_100(xs):
    for scaled in (minmax(xs), percentile(xs)):
        assert (scaled >= 0).all()
        assert (scaled <= 100).all()


@given(values)
def test_no_scale_swaps_two_samples(xs):
    order = np.argsort(xs, kind="stable")
    for scale in RELATIVE.values():
        assert (np.diff(scale(xs)[order]) >= -1e-9).all()
