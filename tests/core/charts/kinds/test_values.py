"""What charts show is what one counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.charts.kinds.compare import GroupOverlap, drawn_groups, overlap, overlap_chart
from ig4.core.charts.kinds.correlations import correlation_chart, correlation_text, correlations
from ig4.core.charts.kinds.costs import CostValue, Spending, duration_text, spending_panels
from ig4.core.charts.kinds.funnel import FunnelStep, funnel_chart
from ig4.core.charts.kinds.judge import judge_chart, verdicts
from ig4.core.charts.kinds.maps import map_cells, map_values
from ig4.core.charts.kinds.scores import dividing_line, histogram, score_chart
from ig4.core.charts.kinds.shares import (
    PartCount,
    composition_shares,
    drawn_parts,
    part_shares,
    share_chart,
)
from ig4.core.charts.kinds.training import thinned, training_curve
from ig4.core.charts.kinds.weights import weight_shares
from ig4.core.charts.rendering import specification
from ig4.core.statistics.verdicts import Summary, Tally

from ..every import rows_of

SCORES = st.lists(
    st.tuples(st.one_of(st.just(float("nan")), st.floats(-100, 100)), st.booleans()),
    min_size=1,
    max_size=60,
)


@given(SCORES)
def test_a_histogram_counts_each_sample_that_has_the_score(samples):
    values = np.array([value for value, _ in samples])
    selected = np.array([chosen for _, chosen in samples])
    found = histogram("clip", values, selected)
    known = [(value, chosen) for value, chosen in samples if value == value]
    assert found.total == len(known)
    assert found.chosen == sum(chosen for _, chosen in known)
    assert found.missing == len(samples) - len(known)
    assert (found.selected <= found.everyone).all()
    if known:
        ordered = sorted(value for value, _ in known)
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        assert found.median == pytest.approx(middle)


@given(SCORES)
def test_a_line_divides_the_selected_from_all_others(samples):
    values = np.array([value for value, _ in samples])
    selected = np.array([chosen for _, chosen in samples])
    line = dividing_line(values, selected)
    inside = [value for value, chosen in samples if chosen and value == value]
    outside = [value for value, chosen in samples if not chosen and value == value]
    if inside and outside and max(outside) <= min(inside):
        assert line == min(inside)
    else:
        assert line is None


def test_bars_are_shares_of_all_and_the_outline_of_the_selected():
    values = np.array([1.0, 1.0, 2.0, 9.0])
    chosen = np.array([False, False, True, True])
    spec = specification(score_chart(histogram("x", values, chosen, bins=8, has_line=True)))
    rows = rows_of(spec)
    bars = {row["low"]: row for row in rows if "all" in row}
    assert (bars[1.0]["all"], bars[1.0]["selected"], bars[1.0]["share"]) == (2, 0, 50)
    assert bars[2.0]["selected_share"] == 50
    outline = [row for row in rows if row.get("who") == "selected"]
    assert outline[-1] == {"who": "selected", "low": 9.0, "share": 50.0}
    assert {"line": 2.0, "text": "line 2"} in rows
    assert "The line is at 2." in spec["description"]


@pytest.mark.parametrize("values", [[], [np.nan], [np.nan, np.nan], [5.0], [5.0, 5.0]])
@pytest.mark.parametrize("selected", [False, True])
def test_few_and_equal_values_make_a_chart(values, selected):
    array = np.array(values, dtype=np.float64)
    found = histogram("x", array, np.full(len(array), selected), has_line=True)
    spec = specification(score_chart(found))
    told = "no sample has this score" in str(spec)
    assert told == (not np.isfinite(array).any())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_correlations_are_spearmans(pairs):
    first, second = (np.array(one, dtype=np.float64) for one in zip(*pairs, strict=True))
    found = correlations(["a", "b"], [first, second])

    def ranks(values):
        return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]

    if len(set(first)) < 2 or len(set(second)) < 2:
        assert np.isnan(found.matrix[0, 1])
    else:
        expected = np.corrcoef(ranks(first), ranks(second))[0, 1]
        assert found.matrix[0, 1] == found.matrix[1, 0] == pytest.approx(expected, abs=1e-9)
    assert found.pairs[0, 1] == len(pairs)


def test_samples_without_one_of_two_scores_are_in_no_correlation():
    first, second = np.array([1, 2, 3, np.nan]), np.array([1, 2, 3, -9.0])
    found = correlations(["a", "b"], [first, second])
    assert (found.matrix[0, 1], found.pairs[0, 1]) == (pytest.approx(1), 3)


def test_too_many_indicators_are_left_out_and_told():
    columns = [np.arange(5.0)] * 30
    found = correlations([f"c{n}" for n in range(30)], columns)
    assert (len(found.names), found.left_out) == (24, 6)
    assert "6 more are not shown" in str(specification(correlation_chart(found)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.27, "+.27"), (-0.15, "\N{MINUS SIGN}.15"), (1.0, "+1.00"), (-0.001, ".00"),
     (None, "\N{EN DASH}"), (float("nan"), "\N{EN DASH}")],
)  # fmt: skip
def test_a_correlation_as_text(value, text):
    assert correlation_text(value) == text


def test_weights_are_shares_of_the_sum_of_their_sizes():
    found = weight_shares({"a": {"weight": -1, "share": 0.2}, "b": {"weight": 3, "share": 0.8}})
    assert [(one.name, one.given, one.worth) for one in found] == [
        ("b", 0.75, 0.8),
        ("a", 0.25, 0.2),
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=60))
def test_small_groups_are_one_row_and_no_sample_is_lost(sizes):
    parts = [PartCount(f"g{n}", pool, min(pool, own)) for n, (pool, own) in enumerate(sizes)]
    found = part_shares("group", "source", parts)
    rows = drawn_parts(found)
    assert len(rows) <= 20
    assert sum(row.pool for row in rows) == sum(one.pool for one in parts)
    assert sum(row.selected for row in rows) == sum(one.selected for one in parts)
    pools = [row.pool for row in (rows if len(found.parts) <= 20 else rows[:-1])]
    assert pools == sorted(pools, reverse=True)


def test_bars_of_groups_are_shares_of_pool_and_selection():
    mix = {"by": "form", "groups": [{"name": "a", "pool": 75, "selected": 1},
                                    {"name": "b", "pool": 25, "selected": 3}]}  # fmt: skip
    spec = specification(share_chart(composition_shares(mix)))
    shares = {(row["name"], row["who"]): row["share"] for row in rows_of(spec) if "text" in row}
    assert shares == {
        ("a", "of all samples"): 75,
        ("a", "of the selection"): 25,
        ("b", "of all samples"): 25,
        ("b", "of the selection"): 75,
    }
    assert "b has 25.0 % of the pool, 75.0 % of the selection (grown most)" in spec["description"]


def test_quotas_are_marked_where_there_are_any():
    parts = part_shares("cluster", "k", [PartCount("c0", 9, 3, 2), PartCount("c1", 1, 1, 2)])
    quotas = [row for row in rows_of(specification(share_chart(parts))) if row["who"] == "quota"]
    assert [(row["quota"], row["share"]) for row in quotas] == [(2, 50), (2, 50)]


def test_a_funnel_tells_what_each_step_takes_away():
    spec = specification(funnel_chart([FunnelStep("all", 1200), FunnelStep("selected", 200)]))
    texts = list(dict.fromkeys(row["text"] for row in rows_of(spec)))
    assert texts == ["1,200", "200 (\N{MINUS SIGN}1,000)"]


POINTS = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.booleans()), min_size=1, max_size=80
)


@given(POINTS)
def test_cells_of_a_map_hold_all_samples(points):
    places = np.array([(x, y) for x, y, _ in points], dtype=np.float32)
    chosen = np.array([marked for _, _, marked in points])
    found = map_values(places, chosen, [], space="s", method="pca")
    cells = map_cells(found)
    assert sum(cell["samples"] for cell in cells) == len(points)
    assert sum(cell["selected"] for cell in cells) == chosen.sum()
    for cell in cells:
        inside = [
            marked
            for x, y, marked in points
            if cell["x"] < x < cell["x2"] and cell["y"] < y < cell["y2"]
        ]
        assert len(inside) <= cell["samples"]


def test_samples_without_a_place_are_counted():
    places = np.array([[0, 1], [np.nan, 1], [2, 3]], dtype=np.float32)
    found = map_values(places, np.array([True, True, False]), ["a", "b", "c"], space="s",
                       method="pca")  # fmt: skip
    assert (found.ids, found.selected.tolist(), found.unplaced) == (("a", "c"), [True, False], 1)


RANKS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(-1, 2)), max_size=40)


@given(RANKS)
def test_overlap_counts_each_sample_of_a_group_once(samples):
    first = np.array([a for a, _, _ in samples], dtype=np.int64)
    second = np.array([b for _, b, _ in samples], dtype=np.int64)
    label = np.array([group for _, _, group in samples], dtype=np.int64)
    found = overlap("A", "B", first, second, group_names=("x", "y", "z"), group_labels=label)
    for n, name in enumerate(("x", "y", "z")):
        mine = [(a > 0, b > 0) for a, b, group in samples if group == n]
        counts = (mine.count((True, False)), mine.count((True, True)), mine.count((False, True)))
        kept = [one for one in found.groups if one.name == name]
        assert kept == ([GroupOverlap(name, *counts)] if sum(counts) else [])
    both, either = (sum(f(a > 0, b > 0) for a, b, _ in samples) for f in (min, max))
    assert found.jaccard == (both / either if either else 1.0)
    assert sum(one.both for one in drawn_groups(overlap("A", "B", first, second))) == both


def test_selections_that_share_nothing_can_be_compared():
    found = overlap("A", "B", np.array([1, 0]), np.array([0, 1]))
    spec = specification(overlap_chart(found))
    assert found.correlation is None
    assert "no rank correlation" in spec["description"]


def test_many_ranks_are_counted_in_cells():
    n = 5_000
    ranks = np.arange(1, n + 1)
    told = overlap("A", "B", ranks, ranks[::-1]).to_dict()
    assert sum(cell["samples"] for cell in told["cells"]) == n
    assert len(told["cells"]) < 200
    apart = overlap("A", "B", np.r_[ranks, 0 * ranks], np.r_[0 * ranks, ranks])
    assert apart.to_dict()["cells"] == []


def tally(win, tie, fail, ci=None):
    return Tally(win + tie + fail, win, tie, fail, 0.5, ci, 0.5, None, 0.5, None, None, None, None)


def test_verdicts_are_shares_of_pairs_with_their_interval():
    summary = Summary(tally(3, 1, 4, (0.1, 0.7)), {"a.b": tally(1, 0, 0)}, None, 0).to_dict()
    found = verdicts("ours", "theirs", summary)
    rows = rows_of(specification(judge_chart(found)))
    ends = [(row["name"], row["part"], row["start"], row["end"]) for row in rows if "part" in row]
    assert ends[:3] == [
        ("all pairs", "win", 0, 37.5),
        ("all pairs", "tie", 37.5, 50),
        ("all pairs", "loss", 50, 100),
    ]
    assert next((row["low"], row["high"]) for row in rows if "low" in row) == (10, 70)
    assert found.counts[1].interval is None


@given(st.lists(st.one_of(st.none(), st.floats(-5, 5)), max_size=70), st.integers(1, 20))
def test_a_thinned_curve_has_means_of_all_its_steps(losses, most):
    steps = [(n + 1, 0.0, loss, None) for n, loss in enumerate(losses)]
    curve = training_curve("t", steps)
    at, values = thinned(curve.steps, curve.loss, most)
    known = [(n + 1, loss) for n, loss in enumerate(losses) if loss is not None]
    assert len(values) == len(at) == min(most, len(known))
    if known:
        sizes = np.diff(np.linspace(0, len(known), len(values) + 1).astype(int))
        assert float(np.dot(sizes, values)) == pytest.approx(sum(v for _, v in known), abs=1e-6)
        assert at == sorted(at)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "0.012 s"),
        (4.25, "4.2 s"),
        (59.96, "60.0 s"),
        (123, "2 min 03 s"),
        (3_900, "1 h 05 min"),
    ],
)
def test_a_time_as_text(seconds, text):
    assert duration_text(seconds) == text


def test_calls_without_a_price_are_told():
    spent = Spending("model", (CostValue("m", 3, 1.5, 2),), ())
    (chart,) = spending_panels(spent)
    assert rows_of(specification(chart))[0]["text"] == "$1.50, 2 without a price"
