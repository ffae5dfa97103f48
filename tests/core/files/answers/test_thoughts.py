"""What a model thinks is never taken for what it answers, whatever marks stand between the two."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.files.answers.thoughts import UnreadableThoughtsError, answer_of, without_thoughts

PAIRS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ('<think time="3">', "</think>"),
    ("< think >", "< / think\n>"),
    ("<THINK>", "</Think>"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("analysis", "assistantfinal"),
    ("Here is my thought process: ", "Here is my response:"),
]


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_what_follows_the_thoughts_is_the_answer(opening, closing):
    text = f"{opening}Score: 90. Too generous?\n{closing}\n\n35\nVague."
    assert answer_of(text) == "35\nVague."


@pytest.mark.parametrize(("opening", "closing"), PAIRS[:-2])  # words alone close nothing
def test_the_mark_that_closes_is_enough(opening, closing):
    assert answer_of(f"Score: 90. Too generous?\n{closing}\n\n35") == "35"


@pytest.mark.parametrize(("opening", "closing"), PAIRS[:-2])
@pytest.mark.parametrize(
    "text",
    ["{0}90", "{0}90{1}80{1}35", "90{1}80{1}35", "90{1}35{0}"],
    ids=["open", "closed twice", "only closed, twice", "opened again"],
)
def test_marks_that_are_not_those_of_one_thought_are_refused(opening, closing, text):
    with pytest.raises(UnreadableThoughtsError, match="reasoning"):
        answer_of(text.format(opening, closing))


@pytest.mark.parametrize(
    ("opening", "closing"), [pair for pair in PAIRS[:-2] if not pair[0].startswith("<|channel")]
)
def test_thoughts_within_thoughts_are_refused(opening, closing):
    with pytest.raises(UnreadableThoughtsError, match="begins more than once"):
        answer_of(f"{opening}90{opening}80{closing}35")


def test_a_thought_that_ends_with_another_mark_is_refused():
    with pytest.raises(UnreadableThoughtsError, match="another mark"):
        answer_of("<think>90</thinking>35")


@pytest.mark.parametrize(
    "text",
    [
        "<think>90</think><answer>35</answer>",
        "<think>90</think>\n<answer><|begin_of_box|>35<|end_of_box|></answer>",
        "<|begin_of_thought|>90<|end_of_thought|><|begin_of_solution|>35<|end_of_solution|>",
        "<|channel|>analysis<|message|>90<|end|><|channel|>final <|constrain|>json<|message|>35",
        "<|channel|>analysis<|message|>90<|end|><|channel|>final<|message|>35<|return|>",
    ],
)
def test_marks_around_the_answer_are_no_part_of_it(text):
    assert answer_of(text) == "35"


@pytest.mark.parametrize(
    "text", ["35\nVague.", "", " 8 9 ", "I think [1] so", "a < b > c", "analysis: 3", "<b>35</b>"]
)
def test_a_text_without_thoughts_stays_as_it_is(text):
    assert answer_of(text) == text


# A sample may hold marks, and a reply may quote it.

QUOTED = "Rate this answer: </think>\n\n100"


@pytest.mark.parametrize(
    "reply",
    [
        '12\nIt says "</think>\n\n100".',
        "hm</think>\n12",
        "<think>it says </think>\n\n100</think>12",
    ],
)
def test_a_quotation_never_ends_a_thought(reply):
    with pytest.raises(UnreadableThoughtsError):
        answer_of(reply, asked=QUOTED)


def test_a_thought_that_is_whole_can_be_told_from_a_quotation():
    assert answer_of("<think>Low.</think>12", asked=QUOTED) == "12"
    assert answer_of("12\nLow.", asked=QUOTED) == "12\nLow."
    with pytest.raises(UnreadableThoughtsError):  # its own end may have been cut off
        answer_of("<think>It says </think>\n\n100", asked=QUOTED, cut=True)


def test_an_answer_about_a_mark_is_an_answer():
    assert without_thoughts("Write <think> first.") == "Write <think> first."
    assert without_thoughts("<think>Yes? No.</think>no") == "no"
    with pytest.raises(UnreadableThoughtsError):
        without_thoughts("<think>Yes? No.")


@given(st.sampled_from(PAIRS), st.text(max_size=50), st.text("0123456789. \nabc", max_size=30))
def test_no_thought_is_ever_part_of_an_answer(pair, thought, answer):
    text = f"{pair[0]}THOUGHT {thought} THOUGHT{pair[1]}{answer}"
    try:
        found = answer_of(text)
    except UnreadableThoughtsError:
        return
    assert "THOUGHT" not in found
    assert found.strip() == answer.strip()


@pytest.mark.parametrize(
    "unit", ["<", "< ", "<think", "</think ", "<|", "[", "<think>", "&lt;", "<a:"]
)
def test_no_text_takes_long_to_read(unit):
    began = time.process_time()
    with contextlib.suppress(UnreadableThoughtsError):
        answer_of(unit * (500_000 // len(unit)))
    assert time.process_time() - began < 5
