"""Filters from an address, against a reading of them in plain Python."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.engine.browsing.filters import SampleFilter, matching, ordered
from ig4.core.engine.browsing.library import Library
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.errors import UsageError

from ....harbour import BALANCED, QUOTA, TOPK, N, record

RANGES = st.tuples(st.floats(-10, 110), st.floats(-10, 110)).map(lambda pair: tuple(sorted(pair)))
FILTERS = st.builds(
    SampleFilter,
    view=st.sampled_from(["all", "selected", "rest"]),
    q=st.sampled_from(["", "ferry", "SEAGULLS there", "anchorword6", "harbour-01 near", "%", "_"]),
    fate=st.none() | st.integers(-1, 6),
    group=st.none() | st.integers(-1, 3),
    cluster=st.none() | st.sampled_from([3, 5, 9, 4]),
    ranges=st.dictionaries(st.sampled_from(["gpt", "look", "length", "final"]), RANGES, max_size=2),
    sort=st.sampled_from(["", "rank", "final", "row", "by:gpt", "by:look"]),
    down=st.booleans(),
)  # fmt: skip


def texts(n):
    """What a sample says, in lower case: its id, its first question, its last answer and more."""
    made = record(n)
    said = [turn["value"].replace("<image>\n", "") for turn in made["conversations"]]
    return [f"harbour-{n:03d}", *said]


def naive(view, wanted, found):
    """The rows that a filter asks for, one at a time."""
    columns = {one.name: one.raw for one in view.columns} | {"final": view.final}
    rows = []
    for row in range(len(view)):
        good = wanted.view == "all" or (view.rank[row] > 0) == (wanted.view == "selected")
        good &= wanted.fate is None or view.fate[row] == wanted.fate
        good &= wanted.group is None or view.groups.labels[row] == wanted.group
        good &= wanted.cluster is None or view.clusters[row] == wanted.cluster
        for name, (low, high) in wanted.ranges.items():
            good &= low <= columns[name][row] <= high
        good &= not wanted.q or int(view.sample_ids[row]) in found
        if good:
            rows.append(row)
    sort = wanted.sort or ("rank" if wanted.view == "selected" else "row")
    if sort == "row":
        return rows[::-1] if wanted.down else rows

    def key(row):
        if sort == "rank":
            value = view.rank[row] or math.nan
        else:
            value = columns[sort.removeprefix("by:")][row]
        return (math.isnan(value), 0 if math.isnan(value) else -value if wanted.down else value)

    return sorted(rows, key=key)


@pytest.mark.parametrize("number", [QUOTA, TOPK, BALANCED])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=FILTERS)
def test_rows_are_those_of_a_naive_reading(opened, number, wanted):
    browsed = opened(number)
    found = set(browsed.search(wanted.q).tolist()) if wanted.q else set()
    assert browsed.rows(wanted).tolist() == naive(browsed.view, wanted, found)


@pytest.mark.parametrize(
    "query",
    ["ferry", "SEAGULLS there", "anchorword6", "harbour-01 near", "lighthouse", "TALL4 pier",
     "nowhere", "%", "_", "\\", "'"],
)  # fmt: skip
def test_a_search_finds_the_samples_that_say_all_words(opened, query):
    browsed = opened(QUOTA)
    expected = [
        n
        for n in range(N)
        if all(word in "\n".join(texts(n)).lower() for word in query.lower().split())
    ]
    assert browsed.view.row_of(browsed.search(query)).tolist() == expected


def test_a_region_of_the_map_is_a_range_of_its_places(opened):
    view = opened(QUOTA).view
    places = np.random.default_rng(1).random((N, 2)).astype(np.float32)
    places[3] = np.nan
    wanted = SampleFilter(view="all", ranges={"x": (0.2, 0.7), "y": (0.1, 1.0)})
    mask = matching(view, wanted, lambda _: np.empty(0, dtype=np.int64), places)
    inside = [0.2 <= x <= 0.7 and 0.1 <= y <= 1.0 for x, y in places.tolist()]
    assert mask.tolist() == inside
    assert 0 < sum(inside) < N


def test_a_histogram_leaves_its_own_filter_out(opened):
    browsed = opened(TOPK)
    wanted = SampleFilter(view="all", ranges={"gpt": (20, 40), "length": (0, 50)})
    found = browsed.histograms(wanted)
    length, gpt = browsed.view.columns[1].raw, browsed.view.columns[0].raw
    assert sum(found["gpt"]["all"]) == ((length <= 50) & ~np.isnan(gpt)).sum()
    assert sum(found["length"]["all"]) == ((gpt >= 20) & (gpt <= 40)).sum()
    assert len(found["gpt"]["edges"]) == 41
    everyone = browsed.histograms(SampleFilter(view="all"))
    assert sum(everyone["gpt"]["selected"]) == 10
    for name, (edges, bins) in browsed.bins.items():
        values = browsed.view.final if name == "final" else _column(browsed, name)
        for value, place in zip(values, bins, strict=True):
            assert np.isnan(value) if place < 0 else edges[place] <= value <= edges[place + 1]


def _column(browsed, name):
    return next(one.raw for one in browsed.view.columns if one.name == name)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"view": "most"}, "view='most' is none of all, selected, rest"),
        ({"fate": "x"}, "fate='x' is no number"),
        ({"cluster": "1.5"}, "cluster='1.5' is no number"),
        ({"range.gpt": "5"}, "not two numbers"),
        ({"range.gpt": "5,4"}, "is no range"),
        ({"range.gpt": "nan,4"}, "is no range"),
        ({"range.gpt": "1,2,3"}, "not two numbers"),
        ({"range.gpt": "1,x"}, "not two numbers"),
        ({"range.gpt": ""}, "not two numbers"),
        ({"q": "a " * 31}, "q has more than 30 words"),
        ({"q": "a" * 1_001}, "or 1,000 characters"),
        ({"q": "a\0"}, "no text has"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(query, message):
    with pytest.raises(UsageError, match=message):
        SampleFilter.from_query(query)


def test_unknown_indicators_are_named(opened):
    browsed = opened(QUOTA)
    with pytest.raises(UsageError, match="no scores called 'gtp'"):
        browsed.rows(SampleFilter(ranges={"gtp": (0, 1)}))
    with pytest.raises(UsageError, match="no scores called 'gtp'"):
        ordered(browsed.view, np.ones(N, dtype=bool), SampleFilter(sort="by:gtp"))


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("by:nope", "^sort=by:nope: there are no scores called 'nope'"),
        ("x", "^sort='x' is none of rank, final, row, and by:"),
        ("by:x", "^sort=by:x: there are no scores called 'x'"),
        ("gpt", "^sort='gpt' is none of rank"),
    ],
)
def test_a_sorting_that_there_is_not_is_told_as_one(opened, sort, message):
    with pytest.raises(UsageError, match=message):
        opened(QUOTA).rows(SampleFilter(sort=sort))


def test_numbers_beyond_any_are_no_error(opened):
    browsed = opened(QUOTA)
    wanted = SampleFilter.from_query({"cluster": "9" * 30, "view": "all"})
    assert browsed.rows(wanted).tolist() == []
    wanted = SampleFilter.from_query({"range.gpt": "-inf,inf", "view": "all"})
    assert len(browsed.rows(wanted)) == N - 3


def test_a_range_may_be_open_at_a_side(opened):
    browsed = opened(QUOTA)
    gpt = browsed.view.columns[0].raw
    for text, mask in (("50,", gpt >= 50), (",50", gpt <= 50), (",", ~np.isnan(gpt))):
        wanted = SampleFilter.from_query({"range.gpt": text, "view": "all"})
        assert browsed.rows(wanted).tolist() == np.flatnonzero(mask).tolist()


def test_the_outer_edges_of_a_histogram_leave_no_sample_out(docked):
    rows = [{"id": f"harbour-{n:03d}", "fine": 1_040_026.25 + n / 7} for n in range(N)]
    path = Path(docked.store.engine.url.database).with_name("fine.json")
    path.write_text(json.dumps(rows), encoding="utf-8")
    import_scores(docked, docked.dataset("harbour"), ScoreColumn(path, "fine", "fine"))
    browsed = Library(docked, QUOTA).get()
    edges = browsed.histograms(SampleFilter(view="all"))["fine"]["edges"]
    assert edges[0] == 1_040_026.25
    assert edges[-1] == 1_040_026.25 + (N - 1) / 7
    wanted = SampleFilter(view="all", ranges={"fine": (edges[0], edges[-1])})
    assert len(browsed.rows(wanted)) == N
