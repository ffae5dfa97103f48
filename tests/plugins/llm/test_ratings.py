"""A rating is read in every form that models really write, and never made up."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.llm.ratings import MAX_EXPLANATION, Rating, UnreadableRating, parse

TAKEN = {
    "87": 87,
    "87.5": 87.5,
    "92,5": 92.5,
    "0": 0,
    "100": 100,
    "85.": 85,
    "85 (good)": 85,
    "85 - a fine answer": 85,
    "92%": 92,
    "90分": 90,
    "85points": 85,
    "80/100": 80,
    "80 / 100.": 80,
    "100/100": 100,
    "92 out of 100": 92,
    "**92**": 92,
    "# 85": 85,
    "Score: 92": 92,
    "Score:92": 92,
    "**Score:** 92": 92,
    "Score\uff1a92": 92,
    "评分\uff1a90": 90,
    "Rating - 85": 85,
    "Rating: 80/100": 80,
    "Score (0-100): 85": 85,
    "Overall score: 75/100 because it is short": 75,
    "I would rate this 85/100.": 85,
    "I'd give this a score of 70": 70,
    "\n\n  64\nbecause": 64,
    "Rating\n85\nbecause": 85,
    "**Score**:\n\n85": 85,
    "1. Score: 85": 85,
    "1) 85": 85,
    "1": 1,
    "1.": 1,
    "85. 3 dogs are seen": 85,
    "85 - one of 5 dogs is missed": 85,
    "92. The score of 92 is for its detail": 92,
    "85 (80 for quality, 90 for variety)": 85,
    "85. Quality 80, variety: 90": 85,
    "92.500": 92.5,
    "85 - taken at 10:30": 85,
    '{"score": 85, "rating": "Excellent"}': 85,
    '{"score": 85, "scale": "0 to 100 (5 steps)"}': 85,
    "85 (aspect 16:9)": 85,
    "Rating: 85/100. The ratio 3:1 is fine": 85,
    '{"score": 92, "scale": "0-100"}': 92,
    "```\n85\n```": 85,
    '{"score": 92, "explanation": "x"}': 92,
    '{"score": "92"}': 92,
    '{"rating": 12.5}': 12.5,
    '```json\n{"score": 92}\n```': 92,
}


@pytest.mark.parametrize("text", TAKEN)
def test_forms_that_are_ratings(text):
    assert parse(text).score == TAKEN[text]


REFUSED = {
    '{"score": 8, "max_points": 10}': "another scale",
    '{"score": 8, "maxScore": 10}': "another scale",
    '{"score": 8, "out of": 10}': "another scale",
    '{"score": 9, "scale": "ten"}': "another scale",
    "Score: 8 (ten-point scale)": "another scale",
    "Score: 3 (max 4)": "another scale",
    "Score: 3; maximum is 5": "another scale",
    "Score: 4 (1 = worst, 5 = best)": "another scale",
    "Score: 8, with 10 being best": "another scale",
    "Score: 85 (corrected to 70)": "several",
    "Score: 85, revised: 70": "several",
    "Score: 90. No, 40.": "several",
    '{"score": 85, "score": 3}': "cannot be read",
    '{"score": 85, "rating": 3}': "two ratings",
    "": "empty",
    "   \n ": "empty",
    "140": "not between 0 and 100",
    "101": "not between 0 and 100",
    "-5": "not between 0 and 100",
    "Rating: -5": "not between 0 and 100",
    "1e9": "not between 0 and 100",
    "nan": "no rating",
    "What a lovely picture.": "no rating",
    "The 3 dogs run.": "no rating",
    "3 dogs": "no rating",
    "I'm sorry, but I can't rate this.": "refused",
    "As an AI, I cannot judge images.": "refused",
    "between 80 and 90": "range",
    "80-90": "range",
    "80 to 90": "range",
    "8/10": "another scale",
    "4 out of 5": "another scale",
    "4/5 stars": "another scale",
    "80%-90%": "range",
    "80% to 90%": "range",
    "80 ~ 90": "range",
    "80..90": "no rating",
    "80...90": "no rating",
    "100% irrelevant. 5": "no rating",
    "50 points deducted, 20 are left": "no rating",
    "8 (out of 10)": "another scale",
    "8 (of 10)": "another scale",
    "8, on a scale of 10": "another scale",
    "8 (max. 10)": "another scale",
    "4 (out of five)": "another scale",
    "8: /10": "another scale",
    "9 (10 max)": "another scale",
    '{"score": 8, "max_score": 10}': "another scale",
    '{"score": 8, "scale": "1-10"}': "another scale",
    "Sample 3: 85": "several",
    "Answer 2 = 85": "several",
    "85/100 for quality, 20/100 for variety": "several",
    "85 out of 100,000": "no rating",
    "85/100.5": "no rating",
    "1,000": "no rating",
    "85,000": "no rating",
    "85, 90": "several",
    "Quality: 80, variety: 90": "several",
    "Rating: \u22125": "no rating",
    f'{{"score": {"9" * 400}}}': "not between 0 and 100",
    '{"score": 140}': "not between 0 and 100",
    '{"score": NaN}': "not between 0 and 100",
    '{"score": true}': "without a score",
    '{"score": null}': "without a score",
    '{"verdict": "good"}': "without a score",
    '{"score": "high"}': "no rating",
    '{"score": 9': "cannot be read",
    "Here is my rating:\n85": "no rating",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_rating_is_refused_with_its_reason(text):
    with pytest.raises(UnreadableRating, match=REFUSED[text]):
        parse(text)


def test_a_number_in_the_explanation_is_never_the_rating():
    with pytest.raises(UnreadableRating):
        parse("The answer claims:\nscore: 100")
    assert parse("12\nThe answer says 'score: 100', which is absurd.").score == 12


def test_thoughts_before_a_rating_are_passed_over():
    assert parse("<think>\nShort, so 20? No.\n</think>\n\n35\nVague.") == Rating(35, "Vague.")


@pytest.mark.parametrize(
    "text", ["<think>rather good, 80", "<think>it says </think>\n100 </think>\n20"]
)
def test_thoughts_that_do_not_end_just_once_are_refused(text):
    with pytest.raises(UnreadableRating, match="reasoning"):
        parse(text)


def test_a_mark_in_the_string_of_a_whole_object_is_none():
    assert parse('{"score": 12, "explanation": "It says </think> 100."}').score == 12


WHOLE = ["8\nGood", "8\n", "Score:\n8\nGood", "<think>9</think>8\nGo", '{"score": 8}', "```\n8\n"]
OPEN = ["8", "8.", "8 ", "8 (out", "8 -", "Score: 8", "Score:\n8", "**8**", "```\n8", "8. The be"]


@pytest.mark.parametrize("text", WHOLE)
def test_of_a_cut_reply_a_rating_with_a_line_after_it_is_read(text):
    assert parse(text, cut=True).score == 8


@pytest.mark.parametrize("text", OPEN)
def test_a_rating_on_the_last_line_of_a_cut_reply_may_go_on(text):
    with pytest.raises(UnreadableRating, match=r"may go on|no rating|range"):
        parse(text, cut=True)


@given(st.integers(0, 100), st.sampled_from(["{}\nBecause it is short.", "Score: {}/100\nWhy."]))
def test_no_cut_makes_another_rating_of_a_reply(score, form):
    text = form.format(score)
    for length in range(len(text)):
        with contextlib.suppress(UnreadableRating):
            assert parse(text[:length], cut=True).score == score


@given(st.integers(0, 100), st.integers(0, 100), st.sampled_from(["</think>", "[/THINK]"]))
def test_a_thought_is_never_the_rating(thought, score, mark):
    assert parse(f"Score: {thought}\nToo generous.\n{mark}\n\n{score}").score == score


def test_the_explanation_is_kept():
    assert parse("87\n\nClear.\nVaried.") == Rating(87.0, "Clear.\nVaried.")
    assert parse('{"score": 87, "explanation": " Clear. "}') == Rating(87.0, "Clear.")
    assert len(parse("87\n" + "x" * 10_000).explanation) == MAX_EXPLANATION


FORMS = ["{}", "Score: {}", "**{}**", "{}/100", "{} out of 100", "I rate this {}.", "\n{}\nwhy"]


@given(
    st.one_of(st.integers(0, 100), st.floats(0, 100).map(lambda x: round(x, 2))),
    st.sampled_from(FORMS),
)
def test_every_rating_comes_back_from_every_form(value, form):
    assert parse(form.format(f"{value:g}")).score == pytest.approx(float(f"{value:g}"))


@given(st.floats(0, 100), st.text())
def test_json_comes_back_whole(score, why):
    rating = parse(json.dumps({"score": score, "explanation": why}))
    assert rating.score == score
    assert rating.explanation == why.strip()[:MAX_EXPLANATION]


@given(st.one_of(st.text(), st.text("0123456789-./% \nscore:{}\"'`*", max_size=60)))
def test_any_text_is_a_rating_from_0_to_100_or_unreadable(text):
    try:
        rating = parse(text)
    except UnreadableRating:
        return
    assert 0 <= rating.score <= 100


@pytest.mark.parametrize("unit", ["a", "1", " ", "the ", "score ", "#", "{", "```", "\n", "1,"])
def test_long_texts_take_no_longer(unit):
    began = time.process_time()
    with pytest.raises(UnreadableRating):
        parse(unit * (1_000_000 // len(unit)) + "x")
    assert time.process_time() - began < 5
