"""Two selections side by side: groups, settings, and why a sample is in one of them alone."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.comparing.compare import compare_selections
from ig4.core.engine.comparing.result import FATES
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.columns import drop_column
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ...conftest import record

TOP = Choice("selector", "topk")
N = 12


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """s00 to s11: `gpt` 0, 5, … 55; `mine` falling from 11 to 1, none for s11; clusters of 8, 4."""
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N)))
    dataset = read().dataset
    rows = [{"id": f"s{n:02d}", "gpt": 5 * n, "mine": N - 1 - n or None} for n in range(N)]
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    for name in ("gpt", "mine"):
        import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", name, name))
    parts = {"4": [f"s{n:02d}" for n in range(8)], "7": [f"s{n:02d}" for n in range(8, N)]}
    (tmp_path / "clusters.json").write_text(json.dumps(parts))
    import_clusters(session, dataset, tmp_path / "clusters.json", "given")
    return dataset


def choose(session, dataset, size=4, name=None, **options):
    options = {"selector": TOP, "scorers": ("gpt",), "clustering": "none"} | options
    return select(session, dataset, SelectionRequest(size=size, **options), name=name)


def by_id(changes):
    return {one.id: one for one in changes}


def test_a_comparison_shows_itself_in_a_notebook_and_becomes_a_frame(session, dataset):
    choose(session, dataset, 4, "<b>best</b>")
    choose(session, dataset, 6, scorers=("mine",), clustering="given")
    found = compare_selections(session, "<b>best</b>", "last")
    shown = found._repr_html_()
    assert "ComparisonResult &lt;b&gt;best&lt;/b&gt; (4) and 2 (6), 0 in both" in shown
    for part in (
        "two random draws",
        "weights.mine",
        "data set",
        "s00",
        "why not in A",
        "cluster 4",
    ):
        assert part in shown
    assert "<b>best" not in shown
    frame = found.to_pandas()
    assert frame["change"].tolist() == ["came in"] * 6 + ["went out"] * 4
    assert frame["id"].tolist() == [one.id for one in (*found.came_in, *found.went_out)]
    assert frame["reason"][0] == found.came_in[0].reason


def test_what_is_in_both_in_one_alone_and_in_which_order(session, dataset):
    choose(session, dataset, 4, "best")  # s11 s10 s09 s08
    choose(session, dataset, 6)  # s11 s10 s09 s08 s07 s06
    found = compare_selections(session, "best", "last")
    assert (found.a.title, found.b.title, found.by) == ("best", "2", "sample")
    shared = found.overlap
    assert (shared.common, shared.share_a, shared.jaccard, shared.spearman) == (4, 1, 4 / 6, 1)
    assert shared.expected == 4 * 6 / N
    assert [one.id for one in found.came_in] == ["s07", "s06"]
    assert found.went_out == []
    assert [(one.key, one.a, one.b) for one in found.settings] == [("size", 4, 6)]
    assert repr(found) == "<ComparisonResult best (4) and 2 (6), 4 in both, Jaccard 0.67>"


def test_by_how_much_a_sample_missed_the_line_of_the_other(session, dataset):
    choose(session, dataset, 4)
    choose(session, dataset, 6, clustering="given", selector=Choice("selector", "quota"))
    found = compare_selections(session, "1", "2")  # B: s11 s10, and s07 to s04 of the larger
    came_in, went_out = by_id(found.came_in), by_id(found.went_out)
    assert list(came_in) == ["s07", "s06", "s05", "s04"]
    missed = came_in["s06"]
    assert (missed.fate, missed.rank, missed.cluster) == ("below the line", 4, 4)
    assert (missed.place, missed.members, missed.taken) == (6, N, 4)
    assert missed.distance == pytest.approx((30 - 40) * 0.27)
    assert missed.other_score == pytest.approx(30 * 0.27)
    assert missed.reason == (
        "below the line of the data set by 2.7: place 6 of 12, of which 4 were taken"
    )
    assert list(went_out) == ["s09", "s08"]
    assert "below the line of cluster 7 by 1.35: place 3 of 4" in went_out["s09"].reason
    assert {one.cluster for one in found.went_out} == {None}  # A was made without clusters
    assert found.clusters.by.startswith("given")
    assert [(g.name, g.pool, g.a, g.b, g.both) for g in found.clusters.groups] == [
        ("cluster 4", 8, 0, 4, 0), ("cluster 7", 4, 4, 2, 2),
    ]  # fmt: skip
    told = {one.key: (one.a, one.b) for one in found.settings}
    assert told["selector.use"] == ("topk", "quota")
    assert told["clusters"] == (None, "given (clustering 1)")


def test_each_way_to_be_left_out_is_told(session, dataset):
    choose(session, dataset, N)
    pins = PinRequest(drop=(PinSource(ids=("s00",)),), keep=(PinSource(ids=("s02",)),))
    rejecting = Stage("reject", tails={"gpt": (20.0, 100.0)})
    chosen = {"scorers": ("gpt", "mine"), "pins": pins, "stages": (rejecting,)}
    choose(session, dataset, 3, selector=Choice("selector", "random"), **chosen)
    found = compare_selections(session, "2", "1")  # B has all
    fates = {one.id: (one.fate, one.reason) for one in found.came_in}
    assert fates["s00"] == ("vetoed", "it is among the samples to drop")
    assert fates["s11"] == ("no candidate", "no candidate: it has no mine score")
    assert fates["s01"][0] == "left out by a stage"
    assert "stage 1 (reject) left it out" in fates["s01"][1]
    assert {fate for fate, _ in fates.values()} == {
        "vetoed", "no candidate", "left out by a stage", "not chosen",
    }  # fmt: skip
    assert ("not chosen", "random chose others") in fates.values()
    counts = found.to_dict()["why_came_in"]
    assert sum(one["count"] for one in counts) == len(found.came_in) == 9
    told = {one.key: (one.a, one.b) for one in found.settings}
    assert told["keep"][0].startswith("1 sample from a list (")
    assert told["weights.mine"] == (0.5, None)
    assert told["stage 1"][1] is None


def test_a_sample_that_is_in_by_name_is_told_to_be(session, dataset):
    choose(session, dataset, 3)
    choose(session, dataset, 3, pins=PinRequest(keep=(PinSource(ids=("s00",)),)))
    found = compare_selections(session, "1", "2")
    assert [(one.id, one.kept) for one in found.came_in] == [("s00", True)]
    assert [(one.id, one.kept, one.fate) for one in found.went_out] == [
        ("s09", False, "below the line")
    ]


def test_selectors_that_go_by_more_than_a_score_are_asked(session, dataset):
    quotas = {"selector": Choice("selector", "quota", {"groups": "clusters", "fill": "random"})}
    choose(session, dataset, 4, clustering="given")
    choose(session, dataset, 4, clustering="given", seed=3, **quotas)
    found = compare_selections(session, "1", "2", detailed=1)
    told = [one for one in found.went_out if one.fate == "not chosen"]
    assert told[0].details["members"] in (4, 8)
    assert [one.details for one in told[1:]] == [None] * (len(told) - 1)


def test_groups_are_those_that_the_mix_was_told_by(session, dataset):
    for size in (4, 6):
        choose(session, dataset, size, clustering="given", groups="clusters")
    found = compare_selections(session, "1", "2")
    assert found.groups.by == "clusters"
    assert sum(one.pool for one in found.groups.groups) == N
    assert sum(one.both for one in found.groups.groups) == 4
    assert {one.group for one in found.came_in} <= {one.name for one in found.groups.groups}


def test_what_has_changed_since_is_said(session, dataset, folder, read):
    choose(session, dataset, 4)
    choose(session, dataset, 6)
    assert compare_selections(session, "1", "2").notes == []
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N - 1)))
    read()
    found = compare_selections(session, "1", "2")
    assert sum("have changed since selection" in note for note in found.notes) == 2
    assert {one.id: one.fate for one in found.came_in} == {
        "s07": "chosen today", "s06": "below the line",
    }  # fmt: skip
    drop_column(session, dataset, "gpt")
    found = compare_selections(session, "1", "2")
    assert {one.fate for one in found.came_in} == {"unknown"}
    assert any(
        "the gpt scores that selection 1 was made by are no longer" in n for n in found.notes
    )
    assert found.overlap.candidates_a == N - 1


def test_selections_of_two_data_sets_are_compared_by_content(session, dataset, folder):
    """The second data set has three samples of the first under other ids, one of them twice."""
    same = [record(f"t{n}", f"answer {n}") for n in (11, 10, 3)]
    folder.write(*same, record("twice", "answer 11"), record("new", "nothing like it"))
    other = ingest(session, DatasetSource(folder.path, name="other")).dataset
    choose(session, dataset, 4, "best")  # s11 s10 s09 s08
    drawn = {"selector": Choice("selector", "random"), "scorers": None}
    choose(session, other, 5, "all-of-it", **drawn)
    found = compare_selections(session, "best", "all-of-it")
    assert found.by == "content"
    assert found.overlap.common == 2
    assert {one.id: one.fate for one in found.came_in} == {
        "t3": "below the line", "new": "not in the data set",
    }  # fmt: skip
    assert {one.id: one.fate for one in found.went_out} == {
        "s09": "not in the data set", "s08": "not in the data set",
    }  # fmt: skip
    assert found.overlap.candidates_both == 3
    assert any("3 are in both data sets" in note for note in found.notes)
    assert any("1 of selection 2 have the texts and images of another" in n for n in found.notes)
    assert found.clusters.why
    folder.write(record("x", "something else"))
    third = ingest(session, DatasetSource(folder.path, name="third")).dataset
    choose(session, third, 1, **drawn)
    with pytest.raises(UsageError, match="no sample in common"):
        compare_selections(session, "best", "last")


def test_a_mixture_is_compared_with_its_member(session, dataset, folder):
    folder.write(record("x", "something else"))
    ingest(session, DatasetSource(folder.path, name="other"))
    drawn = {"selector": Choice("selector", "random"), "scorers": None}
    choose(session, dataset, N, **drawn)
    choose(session, session.dataset("set,other"), N + 1, **drawn)
    found = compare_selections(session, "1", "2")
    assert found.overlap.common == N
    assert [(one.id, one.fate) for one in found.came_in] == [("other/x", "not in the data set")]


@pytest.mark.parametrize(
    ("pair", "why"),
    [(("1", "1"), "the same selection"), (("1", "best"), "the same selection"),
     (("all", "1"), "`all` is no selection"), (("1", "9"), "there is no selection 9")],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(session, dataset, pair, why):
    choose(session, dataset, 4, "best")
    with pytest.raises(UsageError, match=why):
        compare_selections(session, *pair)


def test_the_dictionary_has_the_keys_that_pages_are_made_from(session, dataset):
    choose(session, dataset, 4)
    choose(session, dataset, 6)
    told = json.loads(json.dumps(compare_selections(session, "1", "2").to_dict()))
    assert set(told) == {
        "a", "b", "by", "notes", "overlap", "settings", "groups", "clusters", "came_in",
        "went_out", "why_came_in", "why_went_out",
    }  # fmt: skip
    assert set(told["a"]) == {
        "id", "name", "label", "dataset", "size", "candidates", "selector",
    }  # fmt: skip
    assert set(told["groups"]) == {"by", "why", "groups"}
    assert {one["fate"] for one in told["why_came_in"]} <= set(FATES)
    assert {"id", "rank", "fate", "reason", "distance", "group", "cluster"} <= set(
        told["came_in"][0]
    )


def test_a_sample_as_high_as_the_line_is_not_below_it(session, folder, read, tmp_path):
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(4)))
    dataset = read().dataset
    (tmp_path / "even.json").write_text(json.dumps([{"id": f"s{n}", "gpt": 5} for n in range(4)]))
    import_scores(session, dataset, ScoreColumn(tmp_path / "even.json", "gpt", "gpt"))
    choose(session, dataset, 1)
    choose(session, dataset, 3)
    found = compare_selections(session, "1", "2")
    assert [one.reason.partition(":")[0] for one in found.came_in] == [
        "as high as the last one taken of the data set, and behind it"
    ] * 2
