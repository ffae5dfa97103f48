"""The judge without a service: F1 of words in common with the reference."""

from __future__ import annotations

import itertools
import random

import pytest

from ig4.core.evaluation import Pair, Verdict
from ig4.core.records import Failure
from ig4.plugins.judges.reference import Reference, ReferenceOptions, common_subsequence


def compare(first, second, context, **options):
    pair = Pair("p", "What?", first, second, context)
    return Reference(ReferenceOptions(**options)).compare([pair])[0]


def test_scores_are_1_to_10_by_rouge_l():
    verdict = compare("A red bus waits.", "cats", "a red bus waits")
    assert (verdict.first, verdict.second) == (10.0, 1.0)
    half = compare("red bus", "bus red", "A red bus waits")
    assert half.first == pytest.approx(1 + 9 * 2 * 2 / 6)
    assert half.second == pytest.approx(1 + 9 * 2 * 1 / 6)  # the order counts


def test_words_in_any_order_are_another_option():
    verdict = compare("red bus", "bus red", "A red bus waits", overlap="words")
    assert verdict.winner == "tie"


def test_the_order_of_the_answers_decides_nothing():
    one = compare("a red car", "a bus in red", "a red bus")
    other = compare("a bus in red", "a red car", "a red bus")
    assert (one.first, one.second) == (other.second, other.first)


def test_without_a_reference_there_is_no_verdict():
    assert isinstance(compare("a", "b", " ... "), Failure)
    assert isinstance(compare("", "b", "b"), Verdict)


def test_the_longest_common_subsequence_is_that_of_the_textbook():
    rng = random.Random(0)
    for _ in range(200):
        one = rng.choices("abcd", k=rng.randrange(12))
        other = rng.choices("abcd", k=rng.randrange(12))
        assert common_subsequence(one, other) == textbook(one, other)
    assert common_subsequence(["a"] * 5000, ["a"] * 4000) == 4000


def textbook(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, j in itertools.product(range(len(one)), range(len(other))):
        same = one[i] == other[j]
        table[i + 1][j + 1] = table[i][j] + 1 if same else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]
