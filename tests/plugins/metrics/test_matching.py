"""The rules for answers: the original's numbers with its quirks, and a rule without them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.metrics.matching import RULES, exact, lvlm_ehub, normalise, strict, vqa

from ...conftest import ROOT


@pytest.fixture(scope="module")
def golden():
    """What the original code computed, of IG4_PARITY_FIXTURE, by default the shared one."""
    shared = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))
    usual = shared / "fixtures" / "minigpt4-tiny"
    file = Path(os.environ.get("IG4_PARITY_FIXTURE", usual)) / "golden_eval.json"
    if not file.is_file():
        pytest.skip(f"no parity fixture at {file}")
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parity
def test_every_golden_answer_is_judged_as_the_original_did(golden):
    assert golden["vqa_eval"]
    for case in golden["vqa_eval"]:
        truths = [case["gt"]] if isinstance(case["gt"], str) else case["gt"]
        assert lvlm_ehub(case["answer"], truths) == case["correct"], case


@pytest.mark.parity
def test_every_golden_answer_is_normalised_as_the_original_did(golden):
    for case in golden["vqa_eval"]:
        assert normalise(case["answer"]) == case["answer_normalised"], case


@pytest.mark.parametrize(
    ("answer", "truth", "quirky", "plain"),
    [
        ("Yes, there is no cat.", "Yes", 1, 0),
        ("Yes, there is no cat.", "No", 1, 0),
        ("whatever", "a", 1, 0),
        ("grade A", "A", 1, 1),
        ("a dog", "A", 1, 0),
        ("solution b", "Solution A", 1, 0),
        ("Solution A is it", "solution A", 1, 1),
        ("I see a red, the green", "the red", 1, 1),
        ("3.5 horses", "3", 1, 0),
        ("3.5 horses", "3.5", 1, 1),
        ("1,000 cats", "1000", 1, 1),
        ("Three", "3", 1, 1),
        ("none", "0", 1, 1),
        ("the red apple", "A red apple", 1, 1),
        ("dogs", "dog", 0, 0),
        ("Yesterday", "yes", 0, 0),
        ("it isnt", "isn't", 1, 1),
        ("Ein Kahn am FLUSS", "Fluß", 0, 1),
        ("", "no", 0, 0),
        ("C++", "c++", 1, 1),
    ],
)
def test_the_strict_rule_has_none_of_the_quirks(answer, truth, quirky, plain):
    assert (lvlm_ehub(answer, [truth]), strict(answer, [truth])) == (quirky, plain)


@pytest.mark.parametrize(
    ("answer", "truths", "right"),
    [("The dog.", ["dog"], 1), ("a big dog", ["dog"], 0), ("2", ["two"], 1), ("", [""], 0)],
)
def test_exact_is_the_whole_answer(answer, truths, right):
    assert exact(answer, truths) == right


@pytest.mark.parametrize(
    ("equal", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_soft_accuracy_is_that_of_ten_people(equal, accuracy):
    """The values that VQA's own evaluation gives for so many equal answers of ten."""
    people = ["dog"] * equal + [f"cat {n}" for n in range(10 - equal)]
    assert vqa("Dog" if equal < 10 else "dog", people) == pytest.approx(accuracy)


def test_where_all_people_agree_soft_accuracy_normalises_nothing():
    assert vqa("Dog", ["dog"] * 10) == 0


def test_soft_accuracy_of_too_few_people_is_refused():
    with pytest.raises(ValueError, match="too few"):
        vqa("dog", ["dog"] * 3)


WORDS = st.lists(
    st.sampled_from(["a", "the", "3", "three", "1,000", "dog", "isnt", ".", "-", "?", "yes", "ü"]),
    max_size=8,
).map(" ".join)


@given(WORDS | st.text(), st.lists(WORDS | st.text(), min_size=4, max_size=6))
def test_every_rule_gives_a_share(answer, truths):
    for rule in RULES.values():
        assert 0 <= rule(answer, truths) <= 1


@given(st.text(), st.text(), st.text())
def test_what_is_exact_is_strict_too(answer, before, after):
    if exact(answer, [answer]) and not {"yes", "no"} & set(answer.casefold().split()):
        assert strict(answer, [answer]) == 1


@given(WORDS, WORDS)
def test_more_truths_make_no_answer_wrong(answer, truth):
    for rule in (lvlm_ehub, strict, exact):
        assert rule(answer, [truth, "dog"]) >= rule(answer, [truth])
