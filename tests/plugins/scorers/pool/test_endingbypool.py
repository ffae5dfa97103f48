"""Endings by the pool: what breaks off where nothing else of the pool ends."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ig4.core.records import Sample, Turn
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool.endingbypool import EndingByPool, EndingByPoolOptions

SIZES, COLORS = ("small", "large", "tiny"), ("blue", "green", "orange")
THINGS, PLACES = ("house", "tree", "umbrella", "fish"), ("meadow", "desert", "river")


def described(n, seed=0):
    """Descriptions of four kinds of things in three places, with their marks."""
    rng = random.Random(seed)
    return [
        f"There is a {rng.choice(SIZES)} {rng.choice(COLORS)} {rng.choice(THINGS)} near the "
        f"{rng.choice(PLACES)}."
        for _ in range(n)
    ]


def rated(*texts, **options):
    samples = [
        Sample(str(n), "", "\n".join(given), tuple(Turn("assistant", one) for one in given))
        for n, given in enumerate((text,) if isinstance(text, str) else text for text in texts)
    ]
    scorer = EndingByPool(EndingByPoolOptions(**options))
    return scorer.score_pool(
        make_pool(ArrayPoolData(len(samples), samples=samples), scorer.needs())
    )


@pytest.mark.parametrize(
    "cut",
    [
        "There is a smal",  # inside a word that others show whole
        "There is a small green umbr",
        "There is a large blue fish near the me",
        "There is a large",  # where no sentence ends
        "There is a large blue fish near the",
    ],
)
def test_an_answer_that_breaks_off_is_known_by_the_others(cut):
    values = rated(*described(200), cut)
    assert values[-1] == 0
    assert (values[:-1] == 1).all()


def test_it_is_known_where_most_of_the_pool_breaks_off():
    whole = described(400)
    rng = random.Random(5)
    cut = [text[: rng.randint(12, len(text) - 3)] for text in described(1600, seed=1)]
    values = rated(*whole, *cut)
    assert (values[:400] == 1).all()
    assert (values[400:] < 0.5).mean() > 0.9


def test_a_whole_sentence_without_a_mark_is_an_oddity_where_others_have_one():
    values = rated(*described(200), "There is a large blue fish near the meadow")
    assert values[-1] == 0.25


def test_where_no_answer_has_a_mark_none_is_missed():
    texts = [text.rstrip(".") for text in described(200)]
    assert (rated(*texts) == 1).all()


def test_a_part_of_a_word_is_seen_without_any_marks():
    texts = [text.rstrip(".") for text in described(200)]
    assert rated(*texts, "There is a small green umbr")[-1] == 0


@pytest.mark.parametrize(
    "whole",
    ["Red", "two dogs", "42", "yes", "C", "🙂", "a blue (small)", "x = 3", "a zebra", "don't"],
)
def test_short_answers_and_those_without_a_word_at_the_end_are_whole(whole):
    assert rated(*described(200), whole)[-1] == 1


def test_a_rare_word_is_no_part_of_a_word_unless_it_begins_a_frequent_one():
    assert rated(*described(200), "There is a small grey zebra near the tiger.")[-1] == 1
    assert rated(*described(200), "three zebras")[-1] == 1


def test_of_a_conversation_the_worst_answer_counts():
    values = rated(*described(200), ("Red.", "There is a smal", "Yes."))
    assert values[-1] == 0


def test_a_blank_answer_has_no_value():
    values = rated(*described(50), " ", "")
    assert np.isnan(values[-2:]).all()


def test_a_small_pool_tells_nothing():
    assert (rated("There is a smal", "There is a small house") == 1).all()
