"""Chances of digits, from what a service tells of the likeliest tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.llm.digits import (
    DigitChances,
    UnreadableDigitsError,
    digit_chances,
    sentence_score,
    token_score,
)

CHANCES = st.lists(st.floats(0.001, 1.0), min_size=2, max_size=9)


def place(**chances):
    return [(token.strip("_").replace("s", " "), math.log(p)) for token, p in chances.items()]


@given(CHANCES)
def test_the_expectation_is_that_of_a_softmax_over_the_digits_alone(weights):
    logits = np.log(weights) + 3.0
    rest = math.log(0.2)
    log_sum = np.log(np.exp(logits).sum() / 0.8)
    told = [(str(n), float(x - log_sum)) for n, x in enumerate(logits, start=1)]
    found = digit_chances([*told, ("The", rest)], len(weights), 0.5)
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert found.chances == pytest.approx(softmax)
    assert found.expectation == pytest.approx(float(softmax @ np.arange(1, len(weights) + 1)))
    assert found.mass == pytest.approx(0.8)


def test_a_digit_after_a_space_is_that_digit_however_a_tokenizer_writes_the_space():
    tokens = [("4", 0.2), (" 4", 0.2), ("\u25814", 0.2), ("\u01204", 0.2), ("3", 0.1), ("x", 1e-6)]
    found = digit_chances([(token, math.log(p)) for token, p in tokens], 5, 0.5)
    assert found.chances == pytest.approx((0, 0, 1 / 9, 8 / 9, 0))


@pytest.mark.parametrize(
    "token", ["10", "4.", "42", "\u0664", "\u2463", "0", "7", "four", "-4", ""]
)
def test_nothing_else_is_a_digit(token):
    with pytest.raises(UnreadableDigitsError, match=r"a chance of only 0\.0 %"):
        digit_chances([(token, 0.0)], 6, 0.1)


def test_a_model_that_writes_something_else_gave_no_rating():
    with pytest.raises(UnreadableDigitsError, match=r"from 1 to 5 with a chance of only 30\.0 %"):
        digit_chances(place(_4=0.3, The=0.7), 5, 0.5)


def test_digits_that_are_not_listed_may_have_little_and_never_much():
    known = digit_chances(place(_4=0.9, _3=0.09, The=0.009), 5, 0.5)
    assert known.chances == pytest.approx((0, 0, 0.09 / 0.99, 0.9 / 0.99, 0))
    with pytest.raises(
        UnreadableDigitsError, match=r"digits 1, 2, 5 are not among the 2 likeliest"
    ):
        digit_chances(place(_4=0.5, _3=0.4), 5, 0.5)


@given(CHANCES, st.booleans())
def test_the_token_score_is_that_of_the_formula(weights, flatten):
    chances = np.array(weights) / np.sum(weights)
    shaped = np.exp(chances) / np.exp(chances).sum() if flatten else chances
    best, levels = int(np.argmax(shaped)), len(shaped)
    naive = (best + 1) * sum(shaped[best] - p for p in shaped) / (levels - 1)
    assert token_score(chances.tolist(), flatten=flatten) == pytest.approx(naive, abs=1e-12)


def test_a_model_that_cannot_decide_gives_nothing_and_a_sure_one_its_rating():
    assert token_score([0.2] * 5) == 0
    assert token_score([0, 0, 0, 1.0, 0], flatten=False) == 4


@given(st.lists(st.floats(0, 5), min_size=1, max_size=9), st.floats(0, 2))
def test_prompts_that_disagree_cost_a_sample_its_score(scores, alpha):
    made = sentence_score(scores, alpha)
    assert made == pytest.approx(np.mean(scores) / (1 + alpha * np.std(scores)))


def test_the_mean_rating_of_sure_chances_is_the_rating():
    assert DigitChances((0, 0, 1.0), 1.0).expectation == 3
