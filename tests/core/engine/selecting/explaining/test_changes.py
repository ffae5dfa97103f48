"""What would have to change for a sample to get in: every number holds when it is done."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.records import Choice

from ....conftest import record

N = 12
TOP = Choice("selector", "topk")
GPT = [8 * (n * 5 % N) for n in range(N)]
MINE = [7 * (n * 7 % N) + 3 for n in range(N)]


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """s00 to s11 with the scores `gpt` and `mine`, as percents; clusters of 8 and 4."""
    folder.write(*(record(f"s{n:02d}", f"answer {n}") for n in range(N)))
    dataset = read().dataset
    score_as(session, dataset, tmp_path, gpt=GPT, mine=MINE)
    parts = {"4": [f"s{n:02d}" for n in range(8)], "7": [f"s{n:02d}" for n in range(8, N)]}
    (tmp_path / "clusters.json").write_text(json.dumps(parts))
    import_clusters(session, dataset, tmp_path / "clusters.json", "given")
    return dataset


def score_as(session, dataset, folder, **columns):
    for name, values in columns.items():
        rows = [{"id": f"s{n:02d}", "x": value} for n, value in enumerate(values)]
        (folder / f"{name}.json").write_text(json.dumps(rows))
        column = ScoreColumn(folder / f"{name}.json", name, "x", replace=True)
        import_scores(session, dataset, column)


def asked(**more):
    return SelectionRequest(**{"size": 4, "weights": {"gpt": 0.6, "mine": 0.4}, **more})


def out_of(session, dataset, request):
    """Return the ids that a request does not select."""
    taken = set(select(session, dataset, request).ids)
    return [f"s{n:02d}" for n in range(N) if f"s{n:02d}" not in taken]


REQUESTS = {
    "topk": asked(selector=TOP),
    "quota": asked(),
    "less is better": asked(weights={"gpt": 0.6, "mine": -0.4}),
    "product": asked(combine="product"),
    "min": asked(combine="min"),
    "mean-rank": asked(combine="mean-rank", selector=TOP),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_score_that_rises_as_told_gets_in_and_one_that_rises_less_does_not(
    session, dataset, tmp_path, request_
):
    given = {"gpt": GPT, "mine": MINE}
    seen = []
    for name in out_of(session, dataset, request_)[1:2]:
        for one in explain(session, dataset, request_, name).changes.scores:
            if one.needed is None:
                continue
            assert one.points == pytest.approx(one.needed - one.percent)
            for value, gets_in in ((one.needed, True), (one.needed - 1e-4 * one.points, False)):
                changed = [value if f"s{n:02d}" == name else own
                           for n, own in enumerate(given[one.scorer])]  # fmt: skip
                score_as(session, dataset, tmp_path, **{one.scorer: changed})
                assert (name in select(session, dataset, request_).ids) is gets_in
                seen.append(one.scorer)
            score_as(session, dataset, tmp_path, **given)
    assert seen


def test_where_not_even_the_end_of_the_scale_would_do_that_is_said(session, dataset, tmp_path):
    told = explain(session, dataset, asked(selector=TOP), "s00").changes
    mine = next(one for one in told.scores if one.scorer == "mine")
    assert (mine.needed, mine.points, mine.limit) == (None, None, 100.0)
    assert mine.told == "mine: not even 100 would do (it has 3)"
    score_as(session, dataset, tmp_path, mine=[100, *MINE[1:]])
    assert "s00" not in select(session, dataset, asked(selector=TOP)).ids


def test_a_scale_that_cuts_nothing_ends_where_the_highest_is(session, dataset, tmp_path):
    score_as(session, dataset, tmp_path, gpt=[*GPT[:11], 250])
    told = explain(session, dataset, asked(selector=TOP, size=1), "s00").changes
    assert next(one for one in told.scores if one.scorer == "gpt").limit == 250


def test_a_score_without_weight_changes_nothing(session, dataset):
    request = asked(weights={"gpt": 1.0, "mine": 0.0})
    name = out_of(session, dataset, request)[0]
    told = explain(session, dataset, request, name).changes
    assert "mine: its weight is 0" in told.told


@pytest.mark.parametrize("request_", [asked(selector=TOP), asked()], ids=["topk", "quota"])
def test_the_size_that_is_told_takes_it_and_one_less_does_not(session, dataset, request_):
    for name in out_of(session, dataset, request_)[-2:]:
        size = explain(session, dataset, request_, name).changes.size
        assert name in select(session, dataset, asked(selector=request_.selector, size=size)).ids
        less = asked(selector=request_.selector, size=size - 1)
        assert name not in select(session, dataset, less).ids


@pytest.mark.parametrize(
    "options", [{"exponent": 0.0}, {"quotas": {"cluster 4": 2}}], ids=["all the same", "given"]
)
def test_a_size_is_tried_where_quotas_are_dealt_in_another_way(session, dataset, options):
    request = asked(selector=Choice("selector", "quota", options))
    sizes = {}
    for name in out_of(session, dataset, request):
        told = explain(session, dataset, request, name).changes
        sizes[name] = told.size
        if told.size is None:
            assert not any("a selection of" in one for one in told.told)
            continue
        for size, gets_in in ((told.size, True), (told.size - 1, False)):
            again = asked(selector=request.selector, size=size)
            assert (name in select(session, dataset, again).ids) is gets_in
        assert f"a selection of {told.size} takes it (--size {told.size})" in told.told[-1]
    assert any(sizes.values())


def test_a_size_that_the_selector_refuses_is_not_told_and_no_error(session, dataset):
    """All quotas but one are given: no size takes more of a cluster that has its quota."""
    chosen = Choice("selector", "quota", {"quotas": {"cluster 4": 2}})
    request = asked(selector=chosen)
    out = [name for name in out_of(session, dataset, request) if name < "s08"]
    told = [explain(session, dataset, request, name).changes for name in out]
    assert len(told) == 6
    assert {one.size for one in told} == {None}
    assert all("its cluster would have to give" in one.told[-1] for one in told)


def test_the_quota_that_would_do_is_the_place_in_the_cluster(session, dataset):
    name = out_of(session, dataset, asked())[0]
    told = explain(session, dataset, asked(), name)
    assert told.changes.quota == told.place > told.quota
    assert any("its cluster would have to give" in one for one in told.changes.told)


def test_a_cluster_that_gets_nothing_takes_nobody_whatever_their_scores(session, dataset):
    told = explain(session, dataset, asked(size=1), "s09")
    assert (told.counted_in, told.quota, told.distance) == ("cluster", 0, None)
    assert told.changes.scores == ()
    assert told.changes.told[0] == "no score would do: its cluster gives none"


def test_who_is_in_needs_no_change(session, dataset):
    taken = select(session, dataset, asked()).ids[0]
    assert explain(session, dataset, asked(), taken).changes is None


# Left out before the selector


def test_all_that_a_left_out_sample_lacks_is_named_with_the_command(session, dataset, tmp_path):
    score_as(session, dataset, tmp_path, gpt=[None, *GPT[1:]], mine=[None, *MINE[1:]])
    told = explain(session, dataset, asked(), "s00")
    assert told.reason == "left out: it has no gpt and no mine score"
    assert told.changes.told == (
        "it needs a gpt score: `ig4 import-scores` a file that has one",
        "it needs a mine score: `ig4 import-scores` a file that has one",
    )
    assert told.neighbours is None


def test_a_stage_s_floors_are_all_named_and_the_line_behind_them(session, dataset):
    stage = Stage("reject", tails={"gpt": (25, 100), "mine": (25, 100)})
    told = explain(session, dataset, asked(selector=TOP, stages=(stage,)), "s00")
    assert told.reason.startswith("stage 1 (reject): gpt is below percentile 25")
    gpt, mine, then = told.changes.told
    assert gpt.startswith("stage 1 (reject) has to let it pass: gpt is below percentile 25 of all")
    assert mine.startswith("stage 1 (reject) has to let it pass: mine is below percentile 25")
    assert then.startswith("then its final score, 1.2000, would count, which is below the line")


def test_what_a_sample_repeats_has_to_go(session, folder, read, tmp_path):
    folder.write(record("a", "same"), record("b", "same"), record("c", "other"))
    dataset = read().dataset
    rows = [{"id": name, "x": value} for name, value in (("a", 1), ("b", 2), ("c", 3))]
    (tmp_path / "gpt.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "gpt.json", "gpt", "x"))
    request = SelectionRequest(size=1, selector=TOP, stages=(Stage("dedup"),))
    told = explain(session, dataset, request, "b").changes.told
    assert told[0] == (
        "what it repeats has to go, or stage 1 (dedup): it has the texts and images of a"
    )


def test_a_stage_that_takes_others_has_to_take_it(session, dataset):
    stage = Stage("take", selector=Choice("selector", "random"), size=6)
    request = asked(size=3, selector=TOP, stages=(stage,))
    told = [explain(session, dataset, request, f"s{n:02d}") for n in range(N)]
    others = [one for one in told if one.reason]
    assert len(others) == 6
    assert {one.changes.told[0] for one in others} == {
        "stage 1 (take) has to take it: random takes another, or more of what is before it"
    }


def test_a_stage_that_takes_the_best_tells_the_place_and_how_far_it_is_to_the_line(
    session, dataset
):
    stage = Stage("take", selector=TOP, size=6)
    request = asked(size=3, selector=TOP, stages=(stage,))
    final = [0.6 * gpt + 0.4 * mine for gpt, mine in zip(GPT, MINE, strict=True)]
    order = sorted(range(N), key=lambda n: -final[n])
    for place in (7, 12):
        row = order[place - 1]
        told = explain(session, dataset, request, f"s{row:02d}").changes.told[0]
        assert told == (
            f"stage 1 (take) has to take it: it has place {place} of 12 in what is left, of which "
            f"topk takes 6; {final[order[5]] - final[row]:.4f} below the line"
        )


def test_a_stage_that_takes_the_best_of_clusters_tells_the_place_in_its_cluster(session, dataset):
    stage = Stage("take", selector=Choice("selector", "quota"), size=6)
    request = asked(size=3, selector=TOP, stages=(stage,))
    told = explain(session, dataset, request, "s00").changes.told[0]
    assert "it has place 8 of 8 in its cluster, of which quota takes 4; " in told


def test_a_stage_whose_selector_says_what_rejects_a_sample_tells_that(session, dataset):
    stage = Stage("take", selector=Choice("selector", "longest", {"length": "mine"}), size=6)
    request = asked(size=3, selector=TOP, stages=(stage,))
    told = explain(session, dataset, request, "s00").changes.told[0]
    assert told == (
        "stage 1 (take) has to take it: its length is 3, and the shortest that is taken has 45"
    )


def test_what_would_let_a_sample_in_shows_itself_in_a_notebook(session, dataset):
    told = explain(session, dataset, asked(selector=TOP), "s00").changes
    shown = told._repr_html_()
    assert all(one.replace("'", "&#x27;") in shown for one in told.told)
    assert repr(told) == f"<Changes {told.told[0]} (and {len(told.told) - 1} more)>"
    assert told.to_pandas()["to get in"].tolist() == list(told.told)


# Selectors that do not take the best by F(x)


def test_of_a_selector_without_a_line_only_its_own_words_are_told(session, dataset):
    request = asked(selector=Choice("selector", "random"))
    name = out_of(session, dataset, request)[0]
    told = explain(session, dataset, request, name)
    assert told.changes.scores == ()
    (said,) = told.changes.told
    assert said == (
        "random does not take the best by F(x), so no score alone is known to be enough; it does "
        "not say why it takes a sample"
    )
    assert told.distance is None
    assert (told.changes.quota, told.changes.size) == (None, None)


def test_what_rejects_a_sample_by_the_selector_s_word_has_to_go(session, dataset):
    request = asked(selector=Choice("selector", "balanced"))
    told = explain(session, dataset, request, "s00")
    assert told.details["rejected_by"]
    (what,) = told.changes.told
    assert what == f"what rejects it has to go: {'; '.join(told.details['rejected_by'])}"
    assert (told.counted_in, told.group) == ("group", told.details["group"])


def test_a_rating_that_comes_before_f_has_no_line_in_f(session, dataset):
    """`alpagasus` reads F(x) for ties alone: what is not the line of F is not called one."""
    chosen = Choice("selector", "alpagasus", {"rating": "mine", "threshold": 50.0})
    request = asked(selector=chosen, weights={"gpt": 1.0})
    out = out_of(session, dataset, request)
    told = [explain(session, dataset, request, name) for name in out[:3]]
    assert {one.distance for one in told} == {None}
    assert all(one.changes.scores == () for one in told)


# Samples that the user keeps or drops


def pinned(**parts):
    return PinRequest(**{name: (PinSource(ids=tuple(ids)),) for name, ids in parts.items()})


def test_a_dropped_sample_gets_in_when_nobody_drops_it(session, dataset):
    told = explain(session, dataset, asked(pins=pinned(drop=["s07"])), "s07")
    assert told.reason == "left out: it has a veto: it is among the samples to drop"
    assert told.changes.told == (
        "it has to go from the samples to drop (--drop, --drop-sql, or a stored pin)",
    )


def test_a_kept_sample_is_in_and_takes_a_place_of_the_size_that_is_told(session, dataset):
    pins = pinned(keep=["s00"])
    kept = explain(session, dataset, asked(selector=TOP, pins=pins), "s00")
    assert (kept.selected, kept.changes) == (True, None)
    assert kept.reason.startswith("kept:")
    name = out_of(session, dataset, asked(selector=TOP, pins=pins))[0]
    size = explain(session, dataset, asked(selector=TOP, pins=pins), name).changes.size
    assert name in select(session, dataset, asked(selector=TOP, pins=pins, size=size)).ids
    assert name not in select(session, dataset, asked(selector=TOP, pins=pins, size=size - 1)).ids


def test_where_all_places_are_kept_that_is_said(session, dataset):
    request = asked(selector=TOP, size=1, pins=pinned(keep=["s00"]))
    told = explain(session, dataset, request, "s07").changes.told
    assert told == ("all places go to samples to keep: select more, or keep fewer",)
