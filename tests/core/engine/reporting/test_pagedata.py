"""What a page says: the same twice, all of it JSON, and of every sample what the view has."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from ig4.core.engine.reporting import cards, pagedata
from ig4.core.engine.reporting.pagedata import PageRequest, page_data
from ig4.core.engine.reporting.view import selection_view
from ig4.core.errors import Ig4Error

from ....harbour import BALANCED, NO_GPT, QUOTA, RANDOM, TEXT_ONLY, TOPK, N, gpt_score


def data_of(session, dataset, number=QUOTA, **request):
    view = selection_view(session, dataset, number)
    return view, page_data(session, view, PageRequest(**request))


@pytest.mark.parametrize("number", [QUOTA, TOPK, RANDOM, BALANCED])
def test_it_is_json_without_nan_and_the_same_twice(docked, dataset, number):
    _, one = data_of(docked, dataset, number)
    _, other = data_of(docked, dataset, number)
    text = json.dumps(one.values, allow_nan=False)
    assert text == json.dumps(other.values, allow_nan=False)
    assert one.pictures == other.pictures


def test_every_sample_is_there_with_what_it_says_and_scores(docked, dataset):
    view, page = data_of(docked, dataset)
    told = page.values["samples"]
    assert told["id"] == [f"harbour-{n:03d}" for n in range(N)]
    assert told["rank"] == view.rank.tolist()
    assert told["raw"][0] == [gpt_score(n) for n in range(N)]
    assert [told["final"][n] is None for n in range(N)] == [
        n in NO_GPT or n in TEXT_ONLY for n in range(N)
    ]
    assert told["turns"][1][0][0] == "user"
    assert "ferryboat" in told["turns"][1][0][1]
    assert told["turns"][4][3] == ["assistant", "Tall4."]
    assert told["cluster"][0] == 3
    assert page.values["fates"][0] == {"name": "selected", "count": 12}
    assert sum(one["count"] for one in page.values["fates"]) == N


def test_pictures_are_named_by_number_each_image_once(docked, dataset):
    _, page = data_of(docked, dataset)
    image = page.values["samples"]["image"]
    assert image[2] == []
    assert image[10] == [-1]  # its file was never there
    assert image[3][1] == image[8][1]  # the same buoy
    assert image[60] == image[65]
    assert sorted({one for row in image for one in row if one >= 0}) == list(
        range(len(page.pictures))
    )
    assert all(base64.b64decode(one).startswith(b"RIFF") for one in page.pictures)
    assert "problem" in page.values["samples"]


def test_a_page_with_too_little_room_has_the_pictures_of_the_selected_first(
    docked, dataset, monkeypatch
):
    monkeypatch.setattr(cards, "PICTURE_BYTES", 4_000)
    view, page = data_of(docked, dataset)
    about = page.values["about"]
    image = page.values["samples"]["image"]
    with_picture = {row for row in range(N) if image[row] and image[row][0] >= 0}
    assert 0 < len(page.pictures) < 62
    assert len(page.pictures) + about["without"] == 62
    assert sum(map(len, page.pictures)) < 4_000
    assert image[view.selected[0]][0] == 0
    assert with_picture & set(view.selected.tolist())


def test_without_images_there_are_none_and_the_texts_stay(docked, dataset):
    _, page = data_of(docked, dataset, images=False)
    assert page.pictures == ()
    assert page.values["about"]["images"] is False
    assert page.values["samples"]["id"][0] == "harbour-000"


def test_long_texts_are_cut_and_what_is_left_out_is_counted(docked, dataset, monkeypatch):
    monkeypatch.setattr(cards, "LONGEST_TEXT", 20)
    _, page = data_of(docked, dataset)
    told = page.values["samples"]
    for n in (0, 8, 44):
        lengths = [len(text) for _, text in told["turns"][n]]
        assert max(lengths) == 20
        assert told["cut"][n] > 0


def test_a_large_data_set_is_shown_in_part_with_all_places_right(docked, dataset, monkeypatch):
    monkeypatch.setattr("ig4.core.engine.reporting.shown.LEAST", 3)
    view, page = data_of(docked, dataset, samples=20)
    rows = page.values["samples"]["row"]
    assert set(view.selected.tolist()) <= set(rows)
    for gallery in page.values["galleries"]:
        for place in gallery["rows"]:
            assert 0 <= place < len(rows)
        assert all(int(place) < len(rows) for place in gallery["captions"])
    edge = next(one for one in page.values["galleries"] if one["key"] == "edge")
    for last, first in edge["pairs"]:
        assert page.values["samples"]["rank"][last] > 0
        assert page.values["samples"]["rank"][first] == 0
    cards_of_map = np.frombuffer(base64.b64decode(page.values["map"]["card"]), dtype="<i4")
    assert [rows[one] for one in cards_of_map if one >= 0] == rows
    assert "drawn by the seed" in page.values["about"]["shown"]


def test_the_map_has_all_selected_samples_and_a_draw_of_the_others(docked, dataset, monkeypatch):
    monkeypatch.setattr(pagedata, "MOST_POINTS", 30)
    _, page = data_of(docked, dataset)
    told = page.values["map"]
    chosen = np.frombuffer(base64.b64decode(told["selected"]), dtype="u1")
    assert len(chosen) == 30
    assert chosen.sum() == 12
    assert "18 others" in told["told"]
    for name in ("x", "y"):
        grid = np.frombuffer(base64.b64decode(told[name]), dtype="<u2")
        assert (grid.min(), grid.max()) == (0, 65_535)


def test_clusters_are_told_with_their_line_and_typical_samples(docked, dataset):
    view, page = data_of(docked, dataset)
    clusters = page.values["clusters"]
    assert [one["label"] for one in clusters] == [3, 5, 9]
    assert [one["size"] for one in clusters] == [40, 25, 15]
    assert sum(one["selected"] for one in clusters) == 12
    for one in clusters:
        members = view.clusters == one["label"]
        assert one["compared"] == int((members & (view.peers >= 0)).sum())
        assert one["line"] == view.final[members & (view.rank > 0)].min()
        assert {view.clusters[row] for row in one["typical"]} == {one["label"]}
        assert len(one["typical"]) == 6


def test_where_all_compete_together_the_line_is_one(docked, dataset):
    view, page = data_of(docked, dataset, TOPK)
    assert page.values["about"]["line"] == view.final[view.rank > 0].min()
    assert {one["line"] for one in page.values["clusters"]} == {None}


def test_a_space_that_is_not_there_is_an_error(docked, dataset):
    with pytest.raises(Ig4Error, match="nowhere"):
        data_of(docked, dataset, space="nowhere")


def test_a_selection_whose_record_is_broken_says_so(docked, dataset):
    view = replace(selection_view(docked, dataset, QUOTA), prepared=None, why_not="gone", gone=2)
    warnings = page_data(docked, view, PageRequest()).values["warnings"]
    assert "gone" in warnings[0]
    assert warnings[1].startswith("2 selected samples are no longer")
