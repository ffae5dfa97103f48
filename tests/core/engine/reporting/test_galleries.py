"""The galleries of a page: which samples stand side by side, and why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.reporting.galleries import LENGTH, _least, edge, galleries
from ig4.core.engine.reporting.view import selection_view
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.records import Choice

from ....harbour import BALANCED, NO_GPT, QUOTA, RANDOM, TEXT_ONLY, TOPK, N, gpt_score
from ...conftest import record


def by_key(session, dataset, number):
    view = selection_view(session, dataset, number)
    return view, {one.key: one for one in galleries(session, view)}


def test_the_edge_pairs_the_last_taken_with_the_first_missed_of_each_contest(docked, dataset):
    view = selection_view(docked, dataset, QUOTA)
    gallery = edge(view)
    assert gallery is not None
    assert gallery.total == 6
    sizes = []
    for last, first in gallery.pairs:
        peer = view.peers[last]
        assert view.peers[first] == peer
        members = [n for n in range(N) if view.peers[n] == peer]
        taken = [n for n in members if view.rank[n]]
        missed = [n for n in members if not view.rank[n]]
        assert view.final[last] == min(view.final[n] for n in taken)
        assert view.final[first] == max(view.final[n] for n in missed)
        assert gallery.captions[last] == f"last of {len(taken)} samples taken from cluster {peer}"
        gap = view.final[last] - view.final[first]
        assert gap >= 0
        assert f"{gap:.3g} below the line" in gallery.captions[first]
        sizes.append(len(members))
    assert sizes == sorted(sizes, reverse=True)


def test_a_missed_sample_is_told_by_which_score_it_fell_behind_most(docked, dataset):
    view = selection_view(docked, dataset, QUOTA)
    gallery = edge(view)
    gpt, look = view.counting
    for last, first in gallery.pairs:
        behind = {one.name: one.points[last] - one.points[first] for one in (gpt, look)}
        most = max(behind, key=behind.get)
        assert f"most by {most}" in gallery.captions[first]


def test_of_equal_samples_the_order_decided(docked, dataset, tmp_path):
    rows = [{"id": f"harbour-{n:03d}", "flat": 1.0 if n < 9 else 0.0} for n in range(N)]
    (tmp_path / "flat.json").write_text(json.dumps(rows), encoding="utf-8")
    import_scores(docked, dataset, ScoreColumn(tmp_path / "flat.json", "flat", "flat"))
    request = SelectionRequest(size=5, scorers=("flat",), selector=Choice("selector", "topk"))
    gallery = edge(selection_view(docked, dataset, select(docked, dataset, request).id))
    assert gallery.pairs == ((4, 5),)
    assert gallery.captions[5] == (
        "first not taken: F(x) is equal, and the order of the data set decided"
    )


@pytest.mark.parametrize("number", [RANDOM, BALANCED])
def test_where_no_score_ranks_there_is_no_edge(docked, dataset, number):
    _, found = by_key(docked, dataset, number)
    assert "edge" not in found


def test_best_and_worst_are_those_of_the_data_set(docked, dataset):
    _, found = by_key(docked, dataset, TOPK)
    known = [n for n in range(N) if n not in NO_GPT]
    gpt = {n: gpt_score(n) for n in known}
    assert list(found["best:gpt"].rows) == sorted(known, key=lambda n: (-gpt[n], n))[:LENGTH]
    assert list(found["worst:gpt"].rows) == sorted(known, key=lambda n: (gpt[n], n))[:LENGTH]
    assert found["best:gpt"].total == len(known)
    assert found["best:gpt"].captions[70] == "gpt 96"


def test_near_duplicates_stand_side_by_side(docked, dataset):
    _, found = by_key(docked, dataset, QUOTA)
    (one, *_) = found["duplicates"].pairs
    assert set(one) <= {60, 65, 70}
    assert found["duplicates"].total == 2


def test_each_reason_has_a_gallery_with_what_was_said(docked, dataset):
    view, found = by_key(docked, dataset, TOPK)
    (repeated,) = found["fate:4"].rows
    assert repeated == 65
    assert found["fate:4"].title == "Left out: stage 2 (dedup)"
    assert "harbour-060" in found["fate:4"].captions[65]
    assert set(found["fate:2"].rows) == set(NO_GPT)
    assert len(found["fate:3"].rows) == (view.fate == 3).sum()


def test_those_left_out_are_drawn_by_the_seed(docked, dataset):
    _, found = by_key(docked, dataset, QUOTA)
    _, again = by_key(docked, dataset, QUOTA)
    assert found == again
    (gallery,) = [one for one in found.values() if one.title == "Left out: no look score"]
    assert set(gallery.rows) <= set(TEXT_ONLY)
    assert list(gallery.rows) == sorted(gallery.rows)


def test_samples_that_a_scorer_failed_on_are_shown_with_its_words(session, folder, read):
    folder.write(*(record(f"s{n}", "fail" if n == 2 else f"{n} words") for n in range(4)))
    dataset = read().dataset
    score(session, dataset, ScoreRequest((Choice("scorer", "counted"),)))
    choice = Choice("selector", "topk")
    made = select(session, dataset, SelectionRequest(size=1, scorers=("counted",), selector=choice))
    _, found = by_key(session, dataset, made.id)
    failed = found["failed:counted"]
    assert failed.rows == (2,)
    assert failed.total == 1
    assert failed.captions == {2: "counted: the answer says fail"}


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 12))
def test_the_least_are_the_first_of_a_sorting(values, count):
    array = np.array(values, dtype=np.float64)
    expected = sorted(range(len(values)), key=lambda place: (values[place], place))[:count]
    assert _least(array, count).tolist() == expected


def test_best_and_worst_of_a_score_that_counts_are_also_of_samples_that_were_never_compared(
    docked, dataset
):
    view, found = by_key(docked, dataset, QUOTA)
    compared = view.peers >= 0
    rows = found["worst:gpt"].rows
    known = [n for n in range(N) if n not in NO_GPT]
    assert list(rows) == sorted(known, key=lambda n: (gpt_score(n), n))[:LENGTH]
    assert not compared[list(rows)].all()


def test_best_by_a_share_of_what_is_bad_are_those_with_the_least(docked, dataset):
    score(docked, dataset, ScoreRequest((Choice("scorer", "repetition"),)))
    choice = Choice("selector", "topk")
    request = SelectionRequest(size=9, scorers=("repetition",), selector=choice)
    view, found = by_key(docked, dataset, select(docked, dataset, request).id)
    (column,) = (one for one in view.columns if one.name == "repetition")
    best, worst = (column.raw[list(found[f"{end}:repetition"].rows)] for end in ("best", "worst"))
    assert best[0] == column.raw.min()
    assert worst[0] == column.raw.max()
    assert best.max() < worst.min()
