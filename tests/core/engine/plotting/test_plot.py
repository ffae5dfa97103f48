"""What plots show is what the database says."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ig4.core.charts.rendering import specification
from ig4.core.contracts import Selector
from ig4.core.engine.plotting import ofselection
from ig4.core.engine.plotting.drawing import plot_chart, plot_charts, plot_dict
from ig4.core.engine.plotting.kinds import PLOT_KINDS, PlotRequest
from ig4.core.engine.plotting.plot import read_plot
from ig4.core.engine.reporting.view import selection_view
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.storage.store import Store


def asked(session, kind, **fields):
    if kind == "compare":
        fields = {"selection": "1", "other": "2", **fields}
    elif "selection" not in fields:
        fields["selection"] = "1"
    return read_plot(session, PlotRequest(kind, **fields))


@pytest.mark.parametrize("kind", PLOT_KINDS)
def test_every_kind_can_be_drawn_and_told_as_json(kind, session):
    plot = asked(session, kind)
    assert specification(plot_chart(plot))["description"]
    assert all(specification(one)["width"] == "container" for one in plot_charts(plot))
    told = plot_dict(plot)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["plot"] == kind


def test_scores_are_counted_by_selected_and_not(session, table):
    final, length, odd = asked(session, "scores").values
    chosen = table[:, 4].astype(float) > 0
    assert (final.name, length.name, odd.name) == ("final score F(x)", "length", "odd")
    assert (length.total, length.chosen, length.missing, length.uncompared) == (50, 12, 0, 10)
    assert (odd.total, odd.missing, odd.uncompared) == (50, 10, 0)
    known = [float(value) for value in table[:, 2] if value is not None]
    edges = odd.edges
    naive = [
        sum(low <= one < high or (n == len(edges) - 2 and one == high) for one in known)
        for n, (low, high) in enumerate(pairwise(edges))
    ]
    assert odd.everyone.tolist() == naive
    finals = [float(value) for value in table[chosen, 5]]
    assert final.selected_median == pytest.approx(np.median(finals))
    assert final.line is None  # each third has a line of its own


def test_a_selection_by_the_final_score_alone_has_a_line(session):
    final = asked(session, "scores", selection="long").values[0]
    assert final.line is not None
    assert final.chosen == 10


def test_named_scores_alone_are_shown(session):
    (one,) = asked(session, "scores", scorers=("odd",)).values
    assert one.name == "odd"
    with pytest.raises(UsageError, match=r"no scores called 'oddd'; did you mean odd\?"):
        asked(session, "scores", scorers=("oddd",))


def test_scores_can_be_seen_before_anything_is_selected(scored):
    with Store.open(scored) as store:
        session = Session(store, Host.discover())
        found = read_plot(session, PlotRequest("scores")).values
        assert [(one.name, one.total, one.chosen) for one in found] == [
            ("length", 60, 0),
            ("odd", 50, 0),
        ]
        assert read_plot(session, PlotRequest("correlations")).values.pairs[0, 1] == 50
        with pytest.raises(UsageError, match="there is no selection"):
            read_plot(session, PlotRequest("groups"))


def test_groups_are_counted_in_pool_and_selection(session, table):
    found = asked(session, "groups", by="form").values
    counts = {one.name: (one.pool, one.selected) for one in found.parts}
    chosen = [name for name, rank in zip(table[:, 0], table[:, 4], strict=True) if rank]
    kinds = [sum(name[0] == kind for name in chosen) for kind in "cd"]
    assert sorted(counts.values()) == sorted([(30, kinds[0]), (30, kinds[1])])


def test_clusters_have_the_quota_that_they_could_give(session, table):
    found = asked(session, "clusters").values
    chosen = table[:, 4].astype(float) > 0
    for one in found.parts:
        label = int(one.name.removeprefix("cluster "))
        mine = table[:, 3].astype(int) == label
        assert (one.pool, one.selected) == (mine.sum(), (mine & chosen).sum())
        assert one.quota == one.selected
    assert sum(one.quota for one in found.parts) == 12


def test_quotas_of_other_groups_than_the_clusters_are_not_theirs(session):
    view = selection_view(session, session.dataset(), 1)
    others = replace(
        view, prepared=replace(view.prepared, selector=OfOtherGroups(OfOtherGroups.Options()))
    )
    assert {one.quota for one in ofselection.cluster_values(others).parts} == {None}


class OfOtherGroups(Selector):
    """Deals quotas to groups of one sample each."""

    name, api, version = "of-other-groups", 2, "1"

    def reasons(self, pool, row):
        """Return the quota of a row's group."""
        return {"quota": 1, "members": 1}


def test_a_selector_that_reads_no_clusters_has_no_quotas(session):
    found = asked(session, "clusters", selection="2").values
    assert {one.quota for one in found.parts} == {None}


def test_a_funnel_ends_with_the_selection(session):
    found = [(one.name, one.left) for one in asked(session, "funnel").values]
    assert found == [("all samples", 60), ("without: no odd score", 50), ("selected", 12)]


def test_selections_are_compared_by_what_they_have(session):
    found = asked(session, "compare").values
    with session.store.reading() as connection:
        have = [
            {row[0] for row in connection.exec_driver_sql(
                f"SELECT sample_id FROM selected_samples WHERE selection_id = {number}"
            )}
            for number in (1, 2)
        ]  # fmt: skip
    assert (found.first, found.second) == ("selection 1", "long")
    assert len(found.shared) == len(have[0] & have[1])
    assert len(found.ranks) == len(have[0] | have[1])
    assert sum(one.both for one in found.groups) == len(have[0] & have[1])


def test_a_map_places_each_sample_by_its_id(session):
    found = asked(session, "map", space="text").values
    assert (len(found.coordinates), found.selected.sum(), found.unplaced) == (60, 12, 0)
    assert (found.space, found.method, found.ids[0]) == ("text", "pca", "c0")


def test_trainings_have_their_losses(session):
    found = asked(session, "training").values
    assert [one.name for one in found] == ["1: hf, selection 1", "2: hf, selection 2"]
    assert found[0].loss.tolist() == [3 / n for n in range(1, 9)]
    (one,) = asked(session, "training", number=2).values
    assert one.steps.tolist() == [*range(1, 9)]


def test_evaluations_are_shares_times_a_hundred_with_an_interval(session):
    ours, theirs = asked(session, "evaluations").values
    assert (ours.model, ours.value, theirs.value) == ("ours", 75, 25)
    assert ours.low < 75 < ours.high <= 100


def test_arms_have_their_mean_and_their_seeds(session):
    found = asked(session, "ablation").values
    own, random = found.arms
    assert (found.column, own.arm, own.is_reference) == ("vsr", "ig4", True)
    assert own.mean == pytest.approx(60)
    assert own.seeds == pytest.approx((50, 70))
    assert (random.mean, random.deviation) == (pytest.approx(40), pytest.approx(0))
    with pytest.raises(UsageError, match=r"no column 'vs'; did you mean vsr\?"):
        asked(session, "ablation", column="vs")


def test_verdicts_are_those_of_the_judgement(session):
    found = asked(session, "judge").values
    assert [(one.name, one.win, one.tie, one.loss) for one in found.counts] == [
        ("all pairs", 2, 1, 1),
        ("detail", 2, 1, 1),
    ]


def test_costs_and_times_are_summed_by_component(session):
    found = asked(session, "costs", by="scorer").values
    assert [(one.name, one.calls, one.cost) for one in found.costs] == [("gpt", 1, 0.5)]
    times = {one.name: (one.seconds, one.units) for one in found.times}
    assert times["gpt"] == (2.5, 4)
    assert times["length"][1] == 60


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("training", {"number": 9}, "there is no training 9: see `ig4 train show`"),
        ("judge", {"number": 9}, "there is no judgement 9"),
        ("ablation", {"number": 9}, "there is no ablation 9"),
        ("evaluations", {"number": 9}, "there is no evaluation 9"),
        ("costs", {"by": "modle"}, r"did you mean model\?"),
        ("scores", {"selection": "9"}, "there is no selection 9"),
        ("weights", {"selection": "lon"}, r"did you mean long\?"),
        ("map", {"space": "clip"}, "clip"),
        ("groups", {"by": "forms"}, "forms"),
    ],
)
def test_what_is_not_there_is_told(kind, fields, told, session):
    with pytest.raises(UsageError, match=told):
        asked(session, kind, **fields)


def test_an_unknown_kind_is_told(session):
    with pytest.raises(UsageError, match=r"did you mean scores\?"):
        asked(session, "score")


@pytest.mark.parametrize("kind", ["judge", "training", "evaluations", "ablation"])
def test_results_that_nobody_made_yet_are_told(kind, scored):
    with Store.open(scored) as store, pytest.raises(UsageError, match="yet: `ig4 "):
        read_plot(Session(store, Host.discover()), PlotRequest(kind))
