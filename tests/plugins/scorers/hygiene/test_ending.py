# ruff: noqa: RUF001 - marks of many scripts are what this is about
"""Whether an answer ends, on answers as data sets have them."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.host.host import Host
from ig4.core.records import Choice, Failure, Sample, Turn
from ig4.plugins.scorers.hygiene.endings import end_of

ENDS = [
    # One word, a phrase, a number, an option: short answers need no mark.
    "yes", "No", "2", "3.5", "1,000", "-4", "50%", "$5", "B", "(b)", "B. a red car",
    "garbage_bin",
    "toilet_paper, bin", "on the left of the chair", "a man riding a horse on the beach",
    "black and white", "12:30", "C++", "x = 3", "plan B", "#ff0000", "3/4",
    "[0.1, 0.25, 0.3, 0.5]",
    # Sentences, with what may follow their mark.
    "The image shows a dog.", "Is it a dog?", "Stop!", 'He said "stop."', "It is old (very old).",
    "It is **bold.**", "It is a dog. ", "It says “EXIT”.", "a sign that reads 'exit'",
    "The end.)",
    "Mr. Smith holds a cup", "a picture of St. Mary", "Great shot! 🎉", "ok 👍", "I ❤️ this",
    "It was taken in Rifle (Colo.).", "See https://example.org/a-page", "write to me@example.org",
    "a sad face :(", "That is nice :)", "He smiles. </s>",
    "It is 5°C outside, and rather cold: 5°",
    "Is it a dog? Yes", "Yes. It is a dog", "1. Salt 2. Pepper 3. Oil", "No. 5", "10 a.m",
    "(: hello",
    "5th Ave. New York", "St. Louis", "He is 5' 10\"", "(2, 3)", "Yes - the dog is brown",
    # Lists, code, tables, several paragraphs.
    "1. Salt\n2. Pepper\n3. Oil", "- a dog\n- two cats", "Things to buy:\n* milk\n* bread",
    "1. Wash it.\n2. Cut it.\n3. Cook it.", "```python\nprint(1)\n```",
    "int x = 0;\nint y = 1;\nreturn x;",
    "def f(x):\n    return x + 1\n\nfor i in f(2):\n    print(i)",
    "<ul>\n<li>one</li>\n</ul>", "| a | b |\n|---|---|\n| 1 | 2 |", '{"a": 1, "b": [2, 3]}',
    "It costs 3 and then 4 more.\nSo the total is 7.\nAnswer: 7", "It is a cat.\nThe answer is B",
    "Dear Anna,\n\nit was nice.\n\nYours,\nTom", "$x^2 + 1$", "The sum is \\(a+b\\)",
    # Other scripts and languages.
    "一只狗在草地上跑。", "一只狗", "これは犬です。", "犬", "هل هذا كلب؟", "هذا كلب.",
    "यह एक कुत्ता है।", "कुत्ता",
    "Это собака.", "Собака",
    "นี่คือสุนัขที่กำลังวิ่งอยู่บนสนามหญ้าสีเขียวและมีต้นไม้อยู่ด้านหลังของมัน",
    "이것은 개입니다.", "¿Qué es?", "Τι είναι αυτό;"[:-1] + "\u037e", "„Das ist ein Hund.“",
    "「犬です。」",
    "Das ist ein Hund", "Un chien sur la plage",
]  # fmt: skip
BREAKS_OFF = [
    # Inside a sentence.
    "The image shows a dog and", "a man is standing next to the", "A sign that reads,",
    "There is a dog. It is running on the grass and looks", "It is red. The",
    "The objects in the picture are:", "The colors are red, green, and", "The cat is white -",
    "There are two cars (one red", "It says “EXIT", "The dog, the cat, ", "a dog with its",
    "The dog runs. The cat sleeps. Behind them a house with",
    "The first line ends here.\n\nIn the background there are several people who look at",
    # Inside a word.
    "The image shows a dog. It is runn", "The dog is brown. It looks hap",
    "The picture is beauti-",
    # Inside a list, code, a number.
    "1. Wash it.\n2. Cut it.\n3. Cook", "1. Salt\n2. Pepper\n3.", "- a dog\n- ",
    "Steps:\n1. Cut\n-",
    "```python\nprint(1)", "The box is [0.1, 0.2, 0.", "{\"a\": 1, \"b\":", "x =",
    '{"boxes": [\n  [1, 2],\n  [3',
    "It was built in 1990. The house behind it",
    # Other scripts and languages.
    "图中有一只狗。它正在草地上", "一只狗，", "هذا كلب،", "यह एक कुत्ता है। यह",
    "Das ist ein Hund und",
    "Der Hund läuft. Er sieht eine", "Un chien et une", "Это собака. Она бежит по",
    "犬が（走って",
]  # fmt: skip
UNKNOWN = [
    "The image shows a bride and a groom who stand in a green field at sunset",
    "The road goes on and on...",
    "一位穿着白色婚纱的新娘和一位穿着黑色西装的新郎在夕阳下的田野里站着",
]


@pytest.mark.parametrize("answer", ENDS)
def test_an_answer_ends(answer):
    assert end_of(answer).value == 1, end_of(answer).why


@pytest.mark.parametrize("answer", BREAKS_OFF)
def test_an_answer_breaks_off(answer):
    end = end_of(answer)
    assert (end.value, bool(end.why)) == (0, True)


@pytest.mark.parametrize("answer", UNKNOWN)
def test_it_is_said_where_it_cannot_be_told(answer):
    assert end_of(answer).value == 0.5


def scores(*samples):
    scorer = Host.discover().build(Choice("scorer", "ig4/ending"))
    return scorer.score(samples)


def test_the_worst_answer_of_a_conversation_counts():
    # fmt: off
    turns = [Turn("user", "Is it?"), Turn("assistant", "Yes."), Turn("user", "Why"),
             Turn("assistant", "Because the"), Turn("user", "Oh, and"), Turn("assistant", "2")]
    # fmt: on
    (score,) = scores(Sample("x", "", "Yes.\nBecause the\n2", tuple(turns)))
    assert score.value == 0
    assert score.details == {"why": "it ends with the word the", "answer": 2}


def test_a_blank_answer_has_no_ending():
    (result,) = scores(Sample("x", "", " \n"))
    assert isinstance(result, Failure)


@given(st.text(max_size=80))
def test_any_text_has_an_ending(text):
    if text and not text.isspace():
        assert end_of(text).value in (0, 0.5, 1)


@given(st.text(alphabet="abc de.!?,;:()[]\"'-*\n1", min_size=1, max_size=60))
def test_white_space_around_a_text_does_not_matter(text):
    if not text.isspace():
        assert end_of(f" \n{text}\t ") == end_of(text)


@pytest.mark.parametrize(
    "answer",
    ["a" * 20_000, "1" * 20_000, "abc" * 7_000 + ". x", "." * 20_000 + "a", "</s>" * 5_000 + "x",
     "a" + " " * 20_000 + "b", "a" + "\n" * 20_000 + "b", "www." * 5_000 + " x",
     "Apples etc. " * 2_000 + "It is"],
    ids=["letters", "digits", "word", "dots", "marks", "spaces", "lines", "address", "sentences"],
)  # fmt: skip
def test_a_long_text_takes_time_by_its_length_and_not_by_the_square_of_it(answer):
    """As an image in base64 or a table of blanks is in some sets: a square takes seconds."""
    begun = time.process_time()
    end_of(answer)
    assert time.process_time() - begun < 0.3


@given(st.sampled_from(ENDS[:20]))
def test_an_answer_with_a_mark_ends_too(answer):
    assert end_of(f"{answer}.").value == 1


@pytest.mark.shared
def test_of_the_papers_captions_those_that_break_off_are_found(shared):
    file = shared / "data" / "cc_sbu_align" / "filter_cap.json"
    captions = [a["caption"] for a in json.loads(file.read_text(encoding="utf-8"))["annotations"]]
    cut = [text for text in captions if end_of(text).value == 0]
    assert 25 <= len(cut) <= 45  # of 3,439; looked through by hand
    assert all(text.strip()[-1] not in ".!?" for text in cut)


@pytest.mark.shared
def test_no_short_answer_about_rooms_is_said_to_break_off(shared):
    with (shared / "data" / "daquar" / "questions.jsonl").open(encoding="utf-8") as file:
        found = [json.loads(line)["answer"] for line in file]
    assert all(end_of(str(answer)).value == 1 for answer in found)


@pytest.mark.shared
def test_most_sentences_that_are_cut_are_found(shared):
    file = shared / "data" / "cc_sbu_align" / "filter_cap.json"
    captions = [a["caption"] for a in json.loads(file.read_text(encoding="utf-8"))["annotations"]]
    cut = [text[: len(text) // 2] for text in captions if len(text) > 200]
    inside = [text for text in cut if text.strip()[-1] not in ".!?"]
    found = sum(end_of(text).value < 1 for text in inside)
    assert found > 0.9 * len(inside) > 1000
