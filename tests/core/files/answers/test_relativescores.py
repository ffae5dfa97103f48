"""Files of reviews made elsewhere: each review counts once, and two may not contradict."""

from __future__ import annotations

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.files.answers.relativescores import summarise_file

ROW = {"question_id": 1, "category": "conv", "tuple": [8, 6]}
OTHER = {"question_id": 2, "category": "conv", "tuple": [5, 10]}


@pytest.fixture
def summarise(tmp_path):
    def _summarise(*rows):
        path = tmp_path / "reviews.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return summarise_file(path)

    return _summarise


def test_a_review_that_is_repeated_counts_once(summarise):
    once, found = summarise(ROW, OTHER), summarise(ROW, OTHER, {**ROW, "id": 7}, ROW)
    assert (found.overall, found.categories) == (once.overall, once.categories)
    assert (found.repeated, found.failed, found.overall.n) == (2, 0, 2)


@pytest.mark.parametrize("change", [{"tuple": [8, 7]}, {"category": "detail"}])
def test_two_reviews_of_one_question_may_not_contradict(summarise, change):
    with pytest.raises(DatasetError, match="record 3: the id '1' comes twice, with another review"):
        summarise(ROW, OTHER, {**ROW, **change})


@pytest.mark.parametrize(
    "change", [{"reviewer": "Ann"}, {"answer1_id": "x"}, {"annotator_id": 3}, {"run": 2}]
)
def test_reviews_by_others_or_of_other_answers_are_reviews_of_their_own(summarise, change):
    found = summarise(ROW, {**ROW, **change, "tuple": [1, 2]})
    assert (found.repeated, found.overall.n) == (0, 2)


def test_reviews_that_name_no_question_are_all_counted(summarise):
    found = summarise(*[{"tuple": [8, 6]}] * 3)
    assert (found.repeated, found.overall.n) == (0, 3)


def test_a_review_that_failed_and_was_made_again_counts_once(summarise):
    failed = {**ROW, "tuple": [-1, -1]}
    found = summarise(failed, ROW, {**OTHER, "tuple": [-1, -1]})
    assert (found.failed, found.repeated, found.overall.n) == (1, 1, 1)
