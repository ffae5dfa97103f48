"""Forms of questions: the question word plus the noun asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.groupers.forms.answers import (
    DESCRIPTION,
    LETTER,
    REGION,
    SENTENCE,
    SHORT,
    answer_form,
    common_form,
)
from ig4.plugins.groupers.forms.prompts import read_prompt
from ig4.plugins.groupers.forms.questions import question_form


def form(instruction):
    """Return the finest name of the form of an instruction."""
    prompt = read_prompt(instruction)
    return prompt.special or question_form(prompt.question)[0]


@pytest.mark.parametrize(
    ("instruction", "name"),
    [
        # the noun that is asked for, however it is asked
        ("what color is the shape?", "what color"),
        ("What is the colour of the shirt?", "what color"),
        ("what shape does the image contain?", "what shape"),
        ("what objects are on the table", "what object"),
        ("what is the largest object on the study table", "what object"),
        ("What is the name of the store?", "what name"),
        ("What kind of dog is this?", "what kind of dog"),
        ("What type of movies would he watch?", "what kind of movie"),
        ("Which room is this?", "which room"),
        ("What's the man wearing?", "what is … wearing"),
        ("What is this desk used for?", "what is … used"),
        ("What does the sign say?", "what does"),
        # where something is
        ("what is on the sofa", "what is on"),
        ("what is to the left of the window", "what is left of"),
        ("what is on the left side of the bookshelf", "what is left of"),
        ("what is in front of the mirror", "what is in front of"),
        ("the man is on what?", "what"),
        # numbers and other words that ask
        ("how many chairs are there", "how many"),
        ("What is the number of chairs?", "how many"),
        ("How tall is the tree?", "how tall"),
        ("Why is the man smiling?", "why"),
        ("Where was this taken?", "where"),
        ("Whose hat is this?", "who"),
        # yes or no, by the verb
        ("is there a circle in the image?", "yes/no: is there"),
        ("Are the lights on?", "yes/no: is"),
        ("does the image not contain a rectangle?", "yes/no: does"),
        ("Is the sky blue or gray?", "either … or"),
        # requests
        ("Describe this image in detail.", "describe"),
        ("Could you describe the contents of this image for me?", "describe"),
        ("Take a look at this image and describe what you notice.", "describe"),
        ("Give a short and clear explanation of the subsequent image.", "describe"),
        ("Provide a one-sentence caption for the provided image.", "describe"),
        ("What do you see happening in this image?", "describe"),
        ("Explain the visual content of the image in great detail.", "describe"),
        ("Can you tell me what color the car is?", "what color"),
        ("Write a poem.", "write"),
        ("", "no instruction"),
    ],
)
def test_a_question_is_called_by_its_word_and_the_noun_asked_for(instruction, name):
    assert form(instruction) == name


@pytest.mark.parametrize(
    ("instruction", "name", "asked_for"),
    [
        (
            "What color is it?\nAnswer the question using a single word or phrase.",
            "what color",
            SHORT,
        ),
        ("<image>\nWhat is this? Short answer:", "what is", SHORT),
        (
            "Based on the image, respond to this question with a short answer: what is on it?",
            "what is on",
            SHORT,
        ),
        (
            "Provide a caption for the image.\nReference OCR token: STOP, what is it?",
            "describe",
            None,
        ),
        ("Context: Plants grow.\nQuestion: how many are there?", "how many", None),
        ("I see two dogs. They run. Which dog is faster?", "which dog", None),
    ],
)
def test_what_surrounds_a_question_is_cut(instruction, name, asked_for):
    assert form(instruction) == name
    assert read_prompt(instruction).form == asked_for


@pytest.mark.parametrize(
    "instruction",
    [
        "Which is it?\nA. Earth\nB. Moon\nAnswer with the option's letter from the given choices.",
        "Context: x.\nWhich state is farthest north?\n(A) Ohio (B) Maine",
    ],
)
def test_choices_are_a_form_of_their_own(instruction):
    assert form(instruction) == "multiple choice"


def test_regions_are_asked_for_or_described():
    assert form("Please describe this region: [0.51, 0.40, 0.62, 0.90]") == "region: describe"
    assert form("Give the bounding box coordinates of the left man.") == "region: locate"


def test_questions_in_other_languages_are_called_by_their_first_words():
    assert question_form("Welche Farbe hat das Auto?") == (
        "welche farbe …",
        "welche …",
        "other question",
    )
    assert question_form("这张图片里有什么\uff1f") == ("other question",)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("red", SHORT),
        ("Yes.", SHORT),
        ("sheets, comforter", SHORT),
        ("a red bus by the river", SENTENCE),
        ("The bus is red.", SENTENCE),
        ("The bus is red. It waits.", DESCRIPTION),
        ("word " * 60, DESCRIPTION),
        ("B", LETTER),
        ("(C).", LETTER),
        ("[0.1, 0.2, 0.3, 0.4]", REGION),
        ("红色", SHORT),
        ("这是一辆停在河边的红色公共汽车。", SENTENCE),
        ("", SHORT),
    ],
)
def test_forms_of_answers(answer, name):
    assert answer_form(answer) == name


def test_of_several_answers_the_most_usual_form_counts_and_then_the_longer_one():
    assert common_form(["red", "yes", "A man walks. He waits."]) == SHORT
    assert common_form(["red", "A man walks by."]) == SENTENCE


@given(st.text(max_size=80))
def test_any_text_has_a_form_whose_names_are_printable(text):
    prompt = read_prompt(text)
    path = question_form(prompt.question)
    assert 1 <= len(path) <= 3
    assert all(name.strip() and "\n" not in name for name in path)
    assert answer_form(text)
