"""Weights from results: planted effects come back in the unit that a selection sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.engine.learning.metric import Metric
from ig4.core.engine.learning.result import fit_weights


def world(effects, noise=0.004, count=60, seed=0):
    """Mean percentiles with different spreads, and results that gain `effects` a point."""
    rng = np.random.default_rng(seed)
    means = 50 + rng.normal(size=(count, len(effects))) * np.arange(4, 4 + 6 * len(effects), 6)
    return means, 0.3 + (means - 50) @ np.array(effects) + noise * rng.normal(size=count)


def test_weights_are_effects_of_one_point_whatever_the_spread_of_the_means():
    means, results = world([0.002, 0.004, -0.002])
    learned = fit_weights("abc", means, results)
    assert [one.weight for one in learned.weights] == pytest.approx([0.25, 0.5, -0.25], abs=0.05)
    assert [one.effect for one in learned.weights] == pytest.approx([0.02, 0.04, -0.02], abs=0.004)
    assert all(one.clear for one in learned.weights)
    assert all(one.low < one.weight < one.high for one in learned.weights)
    assert learned.verdict == "predicts"
    (told,) = learned.notices()
    assert "the weight of c is below 0: `ig4 select` takes such weights" in told


@given(st.floats(0.001, 1000), st.floats(-100, 100))
@settings(max_examples=15)
def test_the_unit_of_the_metric_changes_no_weight(factor, shift):
    means, results = world([0.002, -0.001], count=20)
    one, other = (
        fit_weights("ab", means, results),
        fit_weights("ab", means, results * factor + shift),
    )
    assert [w.weight for w in other.weights] == pytest.approx(
        [w.weight for w in one.weights], rel=1e-4
    )
    assert other.predicted_r2 == pytest.approx(one.predicted_r2, abs=1e-4)
    assert [w.effect for w in other.weights] == pytest.approx(
        [w.effect * factor for w in one.weights], rel=1e-4
    )


def test_results_without_any_cause_are_said_to_be_that():
    told = []
    for seed in range(20):
        means, results = world([0.0, 0.0], noise=1.0, count=20, seed=seed)
        learned = fit_weights("ab", means, results, seed=seed)
        told.append(learned.verdict)
        if learned.verdict == "does not predict":
            assert "the weights are not to be trusted" in next(learned.notices())
        if learned.verdict == "perhaps luck":
            assert "may be luck" in next(learned.notices())
    assert told.count("predicts") <= 3
    assert "does not predict" in told


def test_a_metric_is_the_mean_of_standardised_parts():
    metric = Metric((("a", "accuracy"), ("b", "cider")))
    parts = np.array([[0.1, 30.0], [0.3, 10.0], [0.2, 50.0]])
    expected = ((parts - parts.mean(axis=0)) / parts.std(axis=0)).mean(axis=1)
    assert metric.outcomes(parts) == pytest.approx(expected)
    assert Metric(metric.parts, True).outcomes(parts) == pytest.approx(-expected)


def test_a_cell_without_one_of_the_parts_has_no_result():
    metric = Metric((("a", "accuracy"), ("b", "cider")))
    measured = {"a": {"metrics": {"accuracy": 0.5}}}
    assert metric.values(measured) is None
    assert metric.values(measured | {"b": {"metrics": {"cider": 1}}}) == (0.5, 1.0)
