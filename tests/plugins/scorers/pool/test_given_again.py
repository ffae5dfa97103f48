"""How often answers are given again in a pool, for their length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.records import Sample
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool.givenagain import GivenAgain, GivenAgainOptions

LONG = "The image shows a red bus that waits by the river in the evening light, far from the town."


def score(*answers, **options):
    scorer = GivenAgain(GivenAgainOptions(**options))
    samples = [Sample(str(n), "?", answer) for n, answer in enumerate(answers)]
    return scorer.score_pool(
        make_pool(ArrayPoolData(len(samples), samples=samples), scorer.needs())
    )


def test_one_word_may_come_as_often_as_it_likes():
    assert score(*["yes"] * 100, "no").tolist() == [0] * 101


def test_a_long_answer_may_not():
    twice = score(LONG, LONG, "a bus")
    often = score(*[LONG] * 10, "a bus")
    assert twice[:2].tolist() == pytest.approx([0.5 * (1 - 2 ** (-18 / 4))] * 2)
    assert often[0] == pytest.approx(0.9 * (1 - 2 ** (-18 / 4)))
    assert twice[2] == often[-1] == 0


def test_case_punctuation_and_white_space_do_not_matter():
    values = score("A red bus waits.", "a red  bus\nwaits", "\uff41 red bus waits")
    assert len(set(values.tolist())) == 1
    assert values[0] > 0


def test_other_answers_are_others():
    assert score("1.5 metres of rope", "15 metres of rope", "🎉 🎉", "👍 👍").tolist() == [0] * 4


def test_a_blank_answer_has_no_value():
    assert np.isnan(score(" ", "a red bus")).tolist() == [True, False]


@given(st.lists(st.sampled_from(["a", "a b", "a b c d", "e f g h i j"]), min_size=1, max_size=20))
def test_it_follows_from_the_count_and_the_length(answers):
    expected = [
        (1 - 1 / answers.count(answer)) * (1 - 2 ** (-(len(answer.split()) - 1) / 4))
        for answer in answers
    ]
    assert score(*answers) == pytest.approx(expected)


def test_percent_is_100_for_what_is_given_once():
    scorer = GivenAgain(GivenAgainOptions())
    assert scorer.to_percent(np.array([0.0, 0.25])).tolist() == [100, 75]
