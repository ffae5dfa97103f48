"""Subsets: of one size and one mix of kinds, but of different quality in every indicator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.engine.learning.design import Mixing, decorrelated, draw_subset, make_design
from ig4.core.engine.selecting.scaling import percentile


def pool(n=600, m=3, groups=4, seed=0):
    """Percentiles of indicators, two of which hang together, and groups of different sizes."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n, m))
    raw[:, -1] += 0.8 * raw[:, 0]
    labels = np.minimum(rng.geometric(0.5, size=n) - 1, groups - 1)
    return np.column_stack([percentile(column) for column in raw.T]), labels


def subsets(percentiles, labels, size=60, count=40, seed=42, mixing=None):
    strata = decorrelated(percentiles)
    return [
        draw_subset(strata, labels, size, number=number, seed=seed, mixing=mixing)
        for number in range(1, count + 1)
    ]


@given(st.integers(1, 200), st.integers(1, 4), st.integers(1, 5), st.data())
@settings(max_examples=60)
def test_a_subset_has_its_size_of_different_rows_and_the_mix_of_all(n, m, groups, data):
    percentiles, labels = pool(n, m, groups, seed=n)
    size = data.draw(st.integers(1, n))
    rows = draw_subset(percentiles, labels, size, number=3, seed=1)
    assert len(np.unique(rows)) == len(rows) == size
    assert rows.tolist() == sorted(rows.tolist())
    counts, taken = (np.bincount(one, minlength=groups) for one in (labels, labels[rows]))
    assert (np.abs(taken - counts * size / n) < 1 + 1e-9).all()


def test_a_subset_depends_on_its_number_and_the_seed_alone():
    percentiles, labels = pool()
    many, few = subsets(percentiles, labels, count=12), subsets(percentiles, labels, count=5)
    assert all(np.array_equal(one, other) for one, other in zip(many, few, strict=False))
    assert not np.array_equal(many[0], many[1])
    other = subsets(percentiles, labels, count=1, seed=43)
    assert not np.array_equal(many[0], other[0])


def test_every_indicator_varies_between_subsets_and_related_ones_can_be_told_apart():
    percentiles, labels = pool()
    means = np.array([percentiles[rows].mean(axis=0) for rows in subsets(percentiles, labels)])
    design = make_design(("a", "b", "c"), means)
    uniform = 100 / math.sqrt(12 * 60)  # the deviation that draws without a mix would have
    assert (design.spread > 2 * uniform).all()
    assert (design.inflation < 3).all()
    assert design.condition < 5
    assert list(design.notices()) == []


def test_decorrelated_percentiles_are_uncorrelated_and_near_to_their_own():
    percentiles, _ = pool()
    found = decorrelated(percentiles)
    before, after = np.corrcoef(percentiles.T), np.corrcoef(found.T)
    assert abs(before[0, 2]) > 0.5
    assert np.abs(after - np.eye(3)).max() < 0.1
    assert all(np.corrcoef(percentiles[:, n], found[:, n])[0, 1] > 0.85 for n in range(3))


def test_equal_and_constant_indicators_are_taken_as_they_are():
    percentiles, labels = pool(m=2)
    odd = np.column_stack([percentiles[:, 0], percentiles[:, 0], np.full(len(labels), 50.0)])
    assert np.isfinite(decorrelated(odd)).all()
    means = np.array([odd[rows].mean(axis=0) for rows in subsets(odd, labels)])
    told = list(make_design("abc", means).notices())
    assert any("a and b cannot be told apart" in text for text in told)
    assert any("c hardly varies" in text for text in told)


def test_a_mix_with_all_weight_spread_evenly_is_a_plain_draw():
    percentiles, labels = pool()
    even = subsets(percentiles, labels, mixing=Mixing(5, 10_000.0))
    odd = subsets(percentiles, labels, mixing=Mixing(5, 0.2))
    spread = [
        np.std([percentiles[rows, 0].mean() for rows in drawn]) for drawn in (even, odd)
    ]  # fmt: skip
    assert spread[0] < 100 / math.sqrt(12 * 60) * 1.5 < spread[1] / 2


def test_samples_are_taken_as_often_as_their_bins_have_shares():
    # One indicator, two bins, nothing else: the share of the upper bin is a Dirichlet variable.
    percentiles = np.repeat([[25.0], [75.0]], 5_000, axis=0)
    labels = np.zeros(10_000, dtype=np.int64)
    drawn = subsets(percentiles, labels, size=100, count=300, mixing=Mixing(2, 1.0))
    upper = np.array([np.mean(rows >= 5_000) for rows in drawn])
    assert upper.mean() == pytest.approx(0.5, abs=0.06)  # Dirichlet(1, 1): uniform from 0 to 1
    assert upper.std() == pytest.approx(math.sqrt(1 / 12 + 1 / 600), abs=0.03)


def design_of(columns):
    return make_design(tuple("abc")[: len(columns)], np.array(columns, dtype=np.float64).T)


def test_few_subsets_are_said_with_the_number_that_is_advised():
    rng = np.random.default_rng(0)
    (told,) = design_of(rng.uniform(0, 100, size=(2, 12))).notices()
    assert told.startswith("12 subsets for 2 indicators are few: 20 are advised (--subsets 20)")


def test_indicators_that_move_together_are_named():
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 100, size=(2, 40))
    design = design_of([one, other, 100 - one + rng.normal(size=40)])
    (told,) = design.notices()
    assert "a and c cannot be told apart" in told
    assert "little of the other (correlation -1.00)" in told
    assert design.to_dict()["alike"][0][:2] == ["a", "c"]


def test_an_indicator_that_the_others_tell_together_is_named():
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 100, size=(2, 40))
    told = list(design_of([one, other, (one + other) / 2]).notices())
    assert any("c can hardly be told from the other indicators together" in text for text in told)
    assert design_of([one, other, (one + other) / 2]).to_dict()["condition"] is None


def test_inflation_is_one_over_what_the_others_leave_unexplained():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 3)) * [3, 10, 1] + 50
    x[:, 2] += x[:, 0]
    expected = np.diag(np.linalg.inv(np.corrcoef(x.T)))
    assert make_design("abc", x).inflation == pytest.approx(expected)


def test_an_indicator_that_hardly_varies_is_said():
    rng = np.random.default_rng(0)
    flat = 50 + rng.normal(size=40)
    (told,) = design_of([rng.uniform(0, 100, 40), flat]).notices()
    assert "b hardly varies" in told
