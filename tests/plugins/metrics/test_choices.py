"""Letters and labels are read out of answers as models write them, and nothing is guessed."""

from __future__ import annotations

import pytest

from ig4.plugins.metrics.choices import bare_letter, choice, label, letter


@pytest.mark.parametrize(
    "answer",
    ["B", "b", "(B)", "(b)", " B. ", "B)", "**B**", "B. sand", "(B) sand", "B: sand", "[B] sand",
     "B\nbecause it is.", "The answer is B.", "The answer is (b).", "Answer: B", "Answer: **B**",
     "The correct option is B because it is.", "Option B", "I think the answer is B. sand"],
)  # fmt: skip
def test_letters_in_all_the_ways_that_models_write_them(answer):
    assert letter(answer) == "B"
    assert choice(answer, ["rock", "sand"]) == "sand"


@pytest.mark.parametrize(
    "answer",
    ["sand", "", "A dog runs.", "I see a dog.", "The answer is A dog.", "the answer is a dog",
     "Answer: A. Or answer: B.", "Big", "AB", "A and B", "7"],
)  # fmt: skip
def test_texts_name_no_letter(answer):
    assert letter(answer) is None


def test_a_letter_beyond_the_choices_names_none():
    assert choice("C", ["rock", "sand"]) is None


def test_a_letter_with_its_text_is_no_bare_one():
    assert bare_letter("B")
    assert bare_letter("The answer is B.")
    assert not bare_letter("B. sand")
    assert not bare_letter("sand")


@pytest.mark.parametrize(
    ("answer", "said"),
    [("True", True), ("false.", False), ("Yes, it is.", True), ("No", False), ("1", True),
     ("0", False), ("The caption is true.", True), ("The statement is false", False),
     ("It is not true.", None), ("true or false", True), ("It may be true or false.", None),
     ("", None), ("a cat", None), ("10", None)],
)  # fmt: skip
def test_labels_are_true_or_false_yes_or_no(answer, said):
    assert label(answer) is said
