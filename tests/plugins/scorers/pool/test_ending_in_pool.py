"""Whether answers end as those of their pool do."""

import random

import numpy as np
import pytest

from ig4.core.host.host import Host
from ig4.core.records import Choice, Sample, Turn
from ig4.core.testing import ArrayPoolData, make_pool

SCORER = Host.discover().build(Choice("scorer", "ig4/ending-in-pool"))
SOUND = ["No.", "Yes.", "Triangle.", "The image shows a small red triangle in the center."] * 10


def score(*answers):
    samples = [Sample(str(n), "?", answer) for n, answer in enumerate(answers)]
    return SCORER.score_pool(
        make_pool(ArrayPoolData(len(samples), samples=samples), SCORER.needs())
    )


@pytest.mark.parametrize("answer", ["N", "Ye", "Triang", "The image shows a small red tri", "T"])
def test_a_piece_of_a_word_of_the_pool_breaks_off(answer):
    assert score(*SOUND, answer)[-1] == 0


@pytest.mark.parametrize("answer", ["No.", "Square.", "A cat!", "2", "👍", "Yes, it is."])
def test_what_ends_as_the_others_has_1(answer):
    assert score(*SOUND, answer)[-1] == 1


def test_without_a_mark_it_is_as_good_as_the_pool_is_used_to():
    assert score(*SOUND, "The image shows")[-1] == 1  # the only phrase of two to four words
    values = score(*["A red bus waits."] * 9, "The image shows")
    assert values[-1] == pytest.approx(0.1)
    assert score(*["a red bus waits"] * 9, "the image shows").tolist() == [1] * 10


def test_hard_evidence_counts_in_any_pool():
    assert score(*["a red bus waits"] * 9, "a red bus and the")[-1] == 0
    assert score(*["a red bus waits"] * 9, "a red bus, a car,")[-1] == 0


def test_a_house_style_without_the_last_stop_is_fine():
    titles = ["Street in Dillon, Mont. It is a town of many sheep"] * 9
    assert score(*titles, "Road in Dillon, Mont. It is a village of many cows").tolist() == [1] * 10


def test_a_word_of_its_own_is_no_piece():
    pool = ["a category of things."] * 10 + ["a cat sits here."]
    assert score(*pool, "this is a cat")[-1] > 0
    assert score(*pool, "this is a zebra")[-1] > 0


def test_the_worst_answer_of_a_conversation_counts():
    turns = (
        Turn("user", "?"),
        Turn("assistant", "N"),
        Turn("user", "?"),
        Turn("assistant", "Yes."),
    )
    samples = [Sample(str(n), "?", answer) for n, answer in enumerate(SOUND)]
    samples += [Sample("x", "?", "N\nYes.", turns), Sample("blank", "?", " ")]
    data = ArrayPoolData(len(samples), samples=samples)
    values = SCORER.score_pool(make_pool(data, SCORER.needs()))
    assert values[-2] == 0
    assert np.isnan(values[-1])


SIZES, COLORS = ("small", "large", "tiny"), ("blue", "green", "orange")
THINGS, PLACES = ("house", "tree", "umbrella", "fish"), ("meadow", "desert", "river")


def described(n, seed=0):
    rng = random.Random(seed)
    return [
        f"There is a {rng.choice(SIZES)} {rng.choice(COLORS)} {rng.choice(THINGS)} near the "
        f"{rng.choice(PLACES)}."
        for _ in range(n)
    ]


@pytest.mark.parametrize("cut", ["There is a large", "There is a large blue", "There is a"])
def test_where_no_sentence_of_the_pool_ends_none_does(cut):
    values = score(*described(200), cut)
    assert values[-1] == 0
    assert (values[:-1] == 1).all()


def test_a_word_alone_is_an_answer_though_it_ends_no_sentence():
    assert score(*described(200), "Large")[-1] > 0
    assert score(*described(200), *["blue"] * 30)[-1] == 1


def test_it_is_known_where_most_of_the_pool_breaks_off():
    rng = random.Random(5)
    cut = [text[: rng.randint(12, len(text) - 3)] for text in described(1600, seed=1)]
    values = score(*described(400), *cut)
    assert (values[:400] == 1).all()
    assert (values[400:] < 0.5).mean() > 0.9


def test_where_marks_are_few_a_word_that_stands_before_none_is_no_evidence():
    titles = [f"View of hill {n}, Walla Walla, Washington" for n in range(60)]
    assert score(*titles, "It is a town.")[:60].min() > 0
