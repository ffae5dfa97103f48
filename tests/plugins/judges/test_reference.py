"""The judge without a service: F1 of words in common with the reference."""

from __future__ import annotations

import pytest

from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.records import Failure
from ig4.plugins.judges.reference import Reference, ReferenceOptions


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
