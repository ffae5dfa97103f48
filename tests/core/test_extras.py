"""What stands beside a record of an export, by the names of its columns."""

from __future__ import annotations

from ig4.core.extras import flat, in_object


def test_scores_and_percents_become_columns():
    extras = {"rank": 3, "final": 40.5, "scores": {"clip": 27.0}, "percents": {"clip": 50.0}}
    assert flat(extras) == {
        "ig4_rank": 3, "ig4_final": 40.5, "ig4_clip": 27.0, "ig4_clip_percent": 50.0,
    }  # fmt: skip


def test_a_scorer_gives_way_to_other_columns_and_to_percents():
    extras = {"scores": {"rank": 1.0, "clip_percent": 2.0, "clip": 3.0}, "percents": {"clip": 4.0}}
    assert flat(extras) == {
        "ig4_score_rank": 1.0, "ig4_clip_percent": 2.0, "ig4_clip": 3.0,
        "ig4_score_clip_percent": 4.0,
    }  # fmt: skip


def test_an_object_gets_one_more_key_and_what_is_no_object_none():
    assert in_object({"id": 1}, {"rank": 2}) == {"id": 1, "ig4": {"rank": 2}}
    assert in_object({"ig4": "old"}, {"rank": 2}) == {"ig4": {"rank": 2}}
    assert in_object({"id": 1}, None) == {"id": 1}
    assert in_object(None, {"rank": 2}) is None
