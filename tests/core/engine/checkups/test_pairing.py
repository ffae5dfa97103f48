"""Each sample gets another's answer: a different one, each once, as close in form as can be had."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.engine.checkups.pairing import PairTraits, find_partners

NUMBERS = st.integers(0, 3)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, st.integers(1, 2), NUMBERS), max_size=14)


def traits(rows):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return PairTraits(*columns)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_answers_differ_and_each_is_given_once(rows):
    found, partners = traits(rows), find_partners(traits(rows))
    taken = np.flatnonzero(partners >= 0)
    assert (found.answers[taken] != found.answers[partners[taken]]).all()
    assert len(set(partners[taken].tolist())) == len(taken)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_nobody_is_left_while_two_of_the_rest_would_fit(rows):
    found, partners = traits(rows), find_partners(traits(rows))
    takers = np.flatnonzero(partners < 0)
    givers = sorted(set(range(len(rows))) - set(partners.tolist()))
    assert all(found.answers[a] == found.answers[b] for a in takers for b in givers)


def same(numbers):
    return np.zeros(len(numbers), dtype=np.int64)


def test_samples_with_one_question_trade_among_themselves():
    questions = np.array([0, 1, 0, 1, 0, 1])
    own = np.arange(6)
    partners = find_partners(PairTraits(own, own, questions, same(own), same(own)))
    assert (questions[partners] == questions).all()


def test_without_a_question_in_common_the_kind_decides_and_then_the_turns():
    own = np.arange(6)
    kinds = np.array([0, 1, 0, 1, 2, 3])
    turns = np.array([1, 1, 1, 1, 2, 2])
    partners = find_partners(PairTraits(own, own, own, turns, kinds))
    assert partners.tolist() == [2, 3, 0, 1, 5, 4]


def test_several_questions_on_one_image_do_not_trade_where_others_can():
    images = np.array([0, 0, 0, 1, 1, 1])
    own = np.arange(6)
    partners = find_partners(PairTraits(own, images, same(own), same(own), same(own)))
    assert (images[partners] != images).all()


def test_on_a_single_image_they_trade_all_the_same():
    own = np.arange(3)
    partners = find_partners(PairTraits(own, same(own), own, same(own), same(own)))
    assert sorted(partners.tolist()) == [0, 1, 2]
    assert (partners != own).all()


def test_equal_answers_have_no_partner():
    own = np.arange(4)
    assert find_partners(PairTraits(same(own), own, own, own, own)).tolist() == [-1] * 4
