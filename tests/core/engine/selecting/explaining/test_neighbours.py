"""Whom an explanation shows beside the line and beside the sample, and the sample itself."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain
from ig4.core.engine.selecting.explaining.texts import in_a_line
from ig4.core.records import Choice

from ....conftest import record

N = 20
TOP = Choice("selector", "topk")


@pytest.fixture
def dataset(session, folder, read, tmp_path):
    """s00 to s19, whose `gpt` falls from 95 to 0; the answer of s05 is long and on many lines."""
    long = "line\n" * 500
    folder.write(*(record(f"s{n:02d}", long if n == 5 else f"answer {n}") for n in range(N)))
    dataset = read().dataset
    rows = [{"id": f"s{n:02d}", "gpt": 5 * (N - 1 - n)} for n in range(N)]
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    import_scores(session, dataset, ScoreColumn(tmp_path / "scores.json", "gpt", "gpt"))
    return dataset


def told(session, dataset, name, **more):
    request = SelectionRequest(**{"size": 8, "selector": TOP, "weights": {"gpt": 1.0}, **more})
    return explain(session, dataset, request, name)


def ids(part):
    return [one.id for one in part]


def test_the_last_taken_and_the_first_not_taken_stand_on_both_sides_of_the_line(session, dataset):
    around = told(session, dataset, "s15").neighbours
    assert around.by == "final score"
    assert ids(around.last_taken) == ["s05", "s06", "s07"]
    assert ids(around.first_not_taken) == ["s08", "s09", "s10"]
    assert [one.selected for one in around.last_taken] == [True] * 3
    assert [one.rank for one in around.first_not_taken] == [None] * 3


def test_those_just_above_and_below_the_sample_are_shown(session, dataset):
    around = told(session, dataset, "s15").neighbours
    assert ids(around.above) == ["s12", "s13", "s14"]
    assert ids(around.below) == ["s16", "s17", "s18"]
    assert [(one.place, one.final_score) for one in around.above] == [(13, 35), (14, 30), (15, 25)]


@pytest.mark.parametrize(("name", "above", "below"), [("s00", 0, 3), ("s01", 1, 3), ("s19", 3, 0)])
def test_the_first_and_the_last_have_neighbours_on_one_side(session, dataset, name, above, below):
    around = told(session, dataset, name).neighbours
    assert (len(around.above), len(around.below)) == (above, below)


def test_without_a_line_neighbours_go_by_rank_and_nobody_is_called_next(session, dataset):
    request = {"selector": Choice("selector", "random")}
    told_all = {f"s{n:02d}": told(session, dataset, f"s{n:02d}", **request) for n in range(N)}
    by_rank = {one.rank: name for name, one in told_all.items() if one.selected}
    third = told_all[by_rank[3]].neighbours
    assert third.by == "rank"
    assert ids(third.last_taken) == [by_rank[6], by_rank[7], by_rank[8]]
    assert third.first_not_taken == ()
    assert ids(third.above) == [by_rank[1], by_rank[2]]
    assert ids(third.below) == [by_rank[4], by_rank[5], by_rank[6]]
    out = next(one for one in told_all.values() if not one.selected).neighbours
    assert (out.above, out.below) == ((), ())


def test_texts_of_neighbours_are_one_short_line_and_those_of_the_sample_whole(session, dataset):
    around = told(session, dataset, "s15").neighbours
    assert around.last_taken[0].answer == f"{' '.join(['line'] * 15)} line…"[:80]
    assert told(session, dataset, "s05").sample.answer == "line\n" * 500


def test_images_and_turns_are_shown(session, folder, read):
    folder.picture("there.png", (250, 0, 0))
    folder.write(record("a", "red", "there.png"), record("b", "blue", "gone.png"))
    dataset = read().dataset
    request = {"selector": Choice("selector", "random"), "weights": {}, "size": 1}
    (there,) = told(session, dataset, "a", **request).sample.images
    assert there.path.endswith("there.png")
    assert there.problem is None
    (gone,) = told(session, dataset, "b", **request).sample.images
    assert (gone.name, bool(gone.problem)) == ("gone.png", True)


@pytest.mark.parametrize(
    ("text", "line"),
    [("short", "short"), ("a\n b", "a b"), ("x" * 80, "x" * 80), ("x" * 81, "x" * 79 + "…"),
     ("word " + " " * 400 + "end", "word…"), ("", "")],
)  # fmt: skip
def test_a_line_is_at_most_eighty_characters(text, line):
    assert in_a_line(text) == line


def test_an_explanation_is_plain_json(session, dataset):
    said = json.loads(json.dumps(told(session, dataset, "s15").to_dict(), allow_nan=False))
    assert said["neighbours"]["above"][0]["id"] == "s12"
    assert said["sample"]["answer"] == "answer 15"
    assert said["changes"]["scores"][0]["needed"] > 60
