"""Groups by form: kinds of questions and answers, with small ones joined."""

import json
import random
from pathlib import Path

import pytest

from ig4.plugins.groupers.form import FormGrouper

from .pools import group, names_of, sample, sizes

DATA = Path(__file__).parents[4] / "shared" / "data"


def form(samples, **options):
    """Return the groups of samples by form."""
    return group(FormGrouper(FormGrouper.Options(**options)), samples)


def test_questions_are_parted_by_the_noun_asked_for():
    found = form(
        [sample(("what color is it?", "red"))] * 30
        + [sample(("what shape is it?", "a circle"))] * 25
        + [sample(("is it red?", "yes"))] * 20
    )
    assert sizes(found) == {"what color": 30, "what shape": 25, "yes/no: is": 20}


def test_small_groups_join_a_wider_one_and_at_last_the_rest():
    found = form(
        [sample(("what color is it?", "red"))] * 20
        + [sample(("what shape is it?", "a circle"))] * 12
        + [sample(("what sport is it?", "golf"))] * 8
        + [sample(("how many are there?", "2"))] * 19
    )
    assert sizes(found) == {"what color": 20, "what, others": 20, "rest (groups under 20)": 19}


def test_a_wider_name_without_finer_ones_beside_it_stands_alone():
    found = form(
        [sample((f"what {noun} is it?", "red")) for noun in ("hat", "dog", "cup", "bag")] * 5
    )
    assert sizes(found) == {"what": 20}


def test_answers_of_two_usual_forms_part_a_group():
    found = form(
        [sample(("what color is it?", "red"))] * 60
        + [sample(("what color is it?", "The shirt of the man is red."))] * 40
    )
    assert sizes(found) == {"what color, word or phrase": 60, "what color, one sentence": 40}


def test_answers_of_an_unusual_form_stay_with_the_others():
    rambling = "It is red. As one can see, this is a very interesting picture of a shape."
    found = form(
        [sample(("what color is it?", "red"))] * 80 + [sample(("what color is it?", rambling))] * 20
    )
    assert sizes(found) == {"what color": 100}


def test_with_split_1_answers_do_not_count():
    found = form(
        [sample(("what color is it?", "red"))] * 50
        + [sample(("what color is it?", "The shirt of the man is red."))] * 50,
        split=1,
    )
    assert sizes(found) == {"what color": 100}


def test_a_form_that_is_asked_for_counts_whatever_the_answer():
    asked = "what color is it?\nAnswer the question using a single word or phrase."
    found = form(
        [sample((asked, "red"))] * 50 + [sample((asked, "The shirt of the man is red."))] * 50
    )
    assert sizes(found) == {"what color": 100}


def test_a_conversation_is_called_by_the_kinds_of_its_questions_in_any_order():
    turns = [("what color is it?", "red"), ("is it big?", "no"), ("describe the image.", "A dot.")]
    rng = random.Random(0)
    found = form([sample(*rng.sample(turns, 3)) for _ in range(30)])
    assert sizes(found) == {"turns: describe + what color + yes/no: is": 30}


def test_a_conversation_of_many_kinds_is_called_by_its_length():
    turns = [
        ("what color is it?", "red"),
        ("is it big?", "no"),
        ("why is it red?", "Paint."),
        ("how many are there?", "2"),
    ]
    found = form([sample(*turns)] * 20 + [sample(*turns, *turns)] * 20)
    assert sizes(found) == {
        "conversation of 4 to 6 answers": 20,
        "conversation of 7 to 10 answers": 20,
    }


def test_samples_without_an_image_are_a_kind_of_their_own():
    found = form(
        [sample(("write a poem.", "Roses."), images=())] * 20 + [sample(("write it.", "x"))] * 20
    )
    assert sizes(found) == {"text only: write": 20, "write": 20}


def test_letters_and_regions_are_forms_of_questions():
    found = form(
        [sample(("Pick one.", "B"))] * 20 + [sample(("the left man", "[0.1, 0.2, 0.3, 0.4]"))] * 20
    )
    assert sizes(found) == {"multiple choice": 20, "region: locate": 20}


def test_the_order_of_the_samples_changes_nothing():
    rng = random.Random(1)
    samples = [
        sample((f"what {rng.choice('abcde')}x is it?", rng.choice(("red", "It is red. Yes."))))
        for _ in range(200)
    ]
    order = rng.sample(range(200), 200)
    before, after = form(samples), form([samples[n] for n in order])
    assert [names_of(before)[n] for n in order] == names_of(after)
    assert before.names == after.names


def test_other_languages_fall_back_to_first_words_and_forms_of_answers():
    found = form(
        [sample(("Welche Farbe hat das Auto?", "rot"))] * 20
        + [sample(("Welche Farbe hat das Haus?", "Das Haus am Ufer ist wohl rot."))] * 20
    )
    assert sizes(found) == {
        "welche farbe …, one sentence": 20,
        "welche farbe …, word or phrase": 20,
    }


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared")
def test_real_data_has_the_kinds_that_people_see_in_it():
    captions = json.loads((DATA / "cc_sbu_align" / "filter_cap.json").read_text())["annotations"]
    describe = "Describe this image in detail."
    lines = (DATA / "daquar" / "questions.jsonl").read_text().splitlines()
    asked = [json.loads(line) for line in lines]
    found = form(
        [sample((describe, one["caption"])) for one in captions]
        + [sample((one["question"], str(one["answer"]))) for one in asked]
    )
    counts = sizes(found)
    assert counts["describe"] == len(captions)
    for name in ("what object", "how many", "what is on", "what color", "what is left of"):
        assert counts[name] > 1000
    assert sum(n for name, n in counts.items() if "others" in name or "rest" in name) < 500
