"""Conversations in the forms that data sets have: speakers, parts, marks of images and places."""

import json
import time
from pathlib import Path

import pytest

from ig4.core.files.images.parts import read_part
from ig4.core.records import ImagePart, Record, Turn
from ig4.plugins.formats.csv import Csv
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.parquet import Parquet
from ig4.plugins.formats.sharegpt import ShareGPT

HERE = Path(__file__).parent
FORMATS = [(Llava, "out.json"), (ShareGPT, "out.json"), (JsonLines, "out.jsonl"), (Csv, "out.csv"),
           (Parquet, "out.parquet")]  # fmt: skip


def make(cls, **options):
    return cls(cls.Options(**options))


def read(raw, cls=Llava):
    return make(cls).parser(HERE)(raw, 0)


def said(*texts):
    return [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]


def read_llava(texts, **fields):
    return read({"id": "1", **fields, "conversations": said(*texts)})


# --- images, wherever a record names them ---------------------------------------------------


@pytest.mark.parametrize("fields", [
    {"images": ["a.jpg"]}, {"images": "a.jpg"}, {"image": {"file_name": "a.jpg"}},
    {"image": "a.jpg", "images": ["a.jpg"]}, {"image": None, "images": ["a.jpg"]},
    {"image_path": "a.jpg"}, {"file_name": "a.jpg"},
])  # fmt: skip
@pytest.mark.parametrize("cls", [Llava, ShareGPT])
def test_no_field_of_images_is_passed_over(fields, cls):
    record = read({"id": "1", **fields, "conversations": said("<image>\nWhat?", "A cat.")}, cls)
    assert (record.images, record.problem) == (("a.jpg",), None)


def test_a_file_name_is_an_image_only_where_a_mark_shows_one():
    assert read_llava(("What?", "A cat."), path="docs/a.txt").images == ()


def test_different_images_in_both_fields_are_a_problem():
    record = read_llava(("<image>\nWhat?", "A cat."), image="a.jpg", images=["b.jpg"])
    assert "name different images" in record.problem


def test_a_data_set_that_begins_with_texts_alone_keeps_its_images(tmp_path):
    raws = [{"id": str(n), "conversations": said("Who?", "I.")} for n in range(30)]
    raws.append({"id": "x", "images": ["a.jpg"], "conversations": said("<image>\nWhat?", "A cat.")})
    (tmp_path / "a.json").write_text(json.dumps(raws))
    assert make(Llava).detect(tmp_path / "a.json")
    assert list(make(Llava).read(tmp_path / "a.json"))[-1].images == ("a.jpg",)


# --- marks: which of them are images, and where they stand ----------------------------------


@pytest.mark.parametrize(
    ("texts", "images", "expected", "places"),
    [
        (("<image>\nWhat?", "It."), ["a"], ("What?", "It."), None),
        (("What?\n<image>", "It."), ["a"], ("What?", "It."), ((0, 5),)),
        (("<image>\n<image>\nAnd?", "It."), ["a", "b"], ("And?", "It."), None),
        (("A: <image>, B: <image>", "It."), ["a", "b"], ("A: , B:", "It."), ((0, 3), (0, 7))),
        (("Hi", "Yes?", "<image>\nWhat?", "It."), ["a"], ("Hi", "Yes?", "What?", "It."), ((2, 0),)),
        (("Draw.", "Here: <image>"), ["a"], ("Draw.", "Here:"), ((1, 5),)),
        (("What?", "It."), ["a"], ("What?", "It."), None),
        (("<img>a</img>\nWhat?", "It."), [], ("What?", "It."), None),
        (("See <img src='a'> there.", "It."), [], ("See  there.", "It."), ((0, 4),)),
    ],
)
def test_marks_leave_the_texts_and_their_places_are_kept(texts, images, expected, places):
    record = read_llava(texts, image=images)
    assert tuple(turn.text for turn in record.turns) == expected
    assert (record.places, record.problem) == (places, None)


@pytest.mark.parametrize("text", ["What does <image> mean in SVG?", "Explain <video> in HTML."])
def test_a_text_about_marks_stays_as_it_is_where_there_is_no_image(text):
    record = read_llava((text, "An element: <image> or <video>."))
    assert [turn.text for turn in record.turns] == [text, "An element: <image> or <video>."]
    assert record.problem is None


@pytest.mark.parametrize(
    ("text", "images", "problem"),
    [
        ("<image>\nWhat?", [], "1 <image> mark for 0 images"),
        ("<image>\n<image>\nWhat?", ["a"], "2 <image> marks for 1 image"),
        ("<image>\nWhat?", ["a", "b"], "1 <image> mark for 2 images"),
        ("<image>\nWhat is <image> in SVG?", ["a"], "2 <image> marks for 1 image"),
    ],
)
def test_marks_that_do_not_fit_the_images_are_a_problem(text, images, problem):
    assert read_llava((text, "It."), image=images).problem == problem


def test_of_marks_that_do_not_fit_only_those_that_stand_alone_leave_the_text():
    record = read_llava(("<image>\nWhat is <image> in SVG?", "It."), image="a")
    assert record.turns[0].text == "What is <image> in SVG?"


def test_images_that_no_mark_shows_are_told():
    (remark,) = read_llava(("What?", "It."), image="a").remarks
    assert "no <image> mark shows their images" in remark


@pytest.mark.parametrize(
    "raw",
    [
        {"conversations": said("<video>\nWhat?", "It.")},
        {"videos": ["a.mp4"], "conversations": said("What?", "It.")},
        {"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}]},
                      {"role": "assistant", "content": "It."}]},
    ],
)  # fmt: skip
def test_videos_and_sounds_are_a_problem(raw):
    assert "a video or sound" in read(raw).problem


def test_thousands_of_marks_take_no_time():
    record = read_llava(("<image> x\n" * 20_000 + "<image>" * 50_000, "It."), image=["a"])
    assert record.problem == "70,000 <image> marks for 1 image"


@pytest.mark.parametrize(
    "text",
    [
        "<img " + 'src="' * 40_000,
        "<img " + "src = " * 40_000,
        '<img src="a' * 40_000,
        "<img>" * 40_000,
        " " * 200_000 + "<__dj__image>" + " " * 200_000 + "<|__dj__eoc|>",
    ],
)
def test_no_text_takes_the_square_of_its_length(text):
    started = time.process_time()
    read_llava((text, "It."), image="a.jpg")
    assert time.process_time() - started < 2


def content(image):
    """What a record says of an image: its name, or its bytes, wherever these lie."""
    if not isinstance(image, ImagePart):
        return image
    with Path(image.file).open("rb") as file:
        return read_part(file, image.place, 1 << 20)


@pytest.mark.parametrize(("cls", "name"), FORMATS)
@pytest.mark.parametrize(
    "places",
    [
        None,
        ((0, 0), (2, 0)),
        ((0, 3), (0, 3)),
        ((0, 1), (0, 6)),
        ((2, 2), (2, 5)),
        ((1, 5), (3, 0)),
    ],
)
def test_places_survive_writing_and_reading(tmp_path, cls, name, places):
    turns = tuple(Turn(("user", "assistant")[n % 2], text) for n, text in
                  enumerate(("What is", "That.", "And it is", "Ok.")))  # fmt: skip
    images = (b"\x89PNG1", b"\x89PNG2") if cls is Parquet else ("a.jpg", "b.jpg")
    record = Record("1", turns, images, places=places)
    make(cls).write([record], tmp_path / name)
    (again,) = make(cls).read(tmp_path / name)
    assert (again.turns, again.places) == (turns, places)
    assert tuple(map(content, again.images)) == images
    assert again.problem is None


@pytest.mark.parametrize(("cls", "name"), FORMATS)
def test_places_in_a_single_pair_survive_too(tmp_path, cls, name):
    turns = (Turn("user", "What is  here?"), Turn("assistant", "That."))
    image = b"\x89PNG" if cls is Parquet else "a.jpg"
    make(cls).write([Record("1", turns, (image,), places=((0, 8),))], tmp_path / name)
    (again,) = make(cls).read(tmp_path / name)
    assert (again.turns, again.places) == (turns, ((0, 8),))


# --- forms of conversations ------------------------------------------------------------------

PAIR = (Turn("user", "What?"), Turn("assistant", "It."))


@pytest.mark.parametrize(
    "value",
    [
        {"from": ["human", "gpt"], "value": ["What?", "It."]},
        {"role": ["user", "assistant"], "content": ["What?", "It."]},
        [{"user": "What?", "assistant": "It.", "source": "x"}],
        {"user": ["What?"], "assistant": ["It."]},
        [{"human": "What?", "gpt": "It."}],
        [{"question": "What?", "answer": "It."}],
        [["What?", "It."]],
        [{"from": "Human", "value": "What?"}, {"from": "bing", "value": "It."}],
        [{"role": "USER", "content": "What?"}, {"role": "Assistant", "content": "It."}],
        [{"role": "prompter", "text": "What?"}, {"role": "chatgpt", "text": "It."}],
        [{"speaker": "user", "text": "What?"}, {"speaker": "model", "text": "It."}],
        [{"role": "user", "content": [{"type": "input_text", "text": "What?"}]},
         {"role": "assistant", "content": [{"type": "output_text", "text": "It."}]}],
        [{"role": "user", "content": [{"text": "What?"}]}, {"role": "assistant", "content": "It."}],
    ],
)  # fmt: skip
@pytest.mark.parametrize("cls", [Llava, ShareGPT])
def test_the_forms_of_a_conversation(value, cls):
    record = read({"conversations": value}, cls)
    assert (record.turns, record.problem) == (PAIR, None)


def test_the_texts_of_the_cauldron(tmp_path):
    raw = {"images": ["a.jpg"], "texts": [{"user": "What?", "assistant": "It."}] * 2}
    (tmp_path / "a.jsonl").write_text(json.dumps(raw) + "\n")
    assert make(JsonLines).detect(tmp_path / "a.jsonl")
    (record,) = make(JsonLines).read(tmp_path / "a.jsonl")
    assert (record.turns, record.images) == (PAIR * 2, ("a.jpg",))


def test_tools_and_system_prompts_have_roles_of_their_own():
    names = ["system", "human", "function_call", "observation", "gpt"]
    record = read({"conversations": [{"from": name, "value": "x"} for name in names]})
    assert [t.role for t in record.turns] == ["system", "user", "tool", "tool", "assistant"]
    assert record.problem is None


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([*said("What?"), {"from": "alien", "value": "x"}, *said("?", "It.")[1:]],
         "the speaker 'alien' is not known"),
        ([1, *said("What?", "It.")], "a message is 1, which is no object"),
        ([{"text": "x"}, *said("What?", "It.")], "names no speaker: its keys are 'text'"),
        ([{"from": "human"}, *said("What?", "It.")[1:]], "'human' says stands under none of"),
        ({"from": ["human", "gpt"], "value": ["What?"]}, "not of one length"),
        ("What?", "'What?', which is no list of messages"),
        (said("What?"), "nobody answers in it: its speakers are user"),
        ([{"from": "human", "value": [{"type": "hologram"}]}, *said("?", "It.")[1:]],
         "of the type 'hologram'"),
        ([{"from": "human", "value": [{"x": 1}]}, *said("?", "It.")[1:]], "and the keys 'x'"),
        ([], "not a conversation"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_in_a_conversation_is_named(messages, problem):
    assert problem in read({"conversations": messages}).problem


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "image": "a.jpg"},
        {"type": "input_image", "image_url": "a.jpg"},
        {"type": "image_url", "image_url": {"url": "a.jpg"}},
        {"image": "a.jpg"},
        {"image_url": {"url": "a.jpg"}},
        {"type": "image", "text": None, "image": {"bytes": None, "path": "a.jpg"}},
    ],
)
def test_images_among_the_parts_of_a_content_stand_where_they_are(part):
    content = [{"type": "text", "text": "See"}, part, {"type": "text", "text": "there."}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "Yes."}]
    for cls in (Llava, ShareGPT):
        record = read({"messages": messages}, cls)
        assert (record.images, record.places, record.problem) == (("a.jpg",), ((0, 4),), None)
        assert record.turns[0].text == "See\nthere."


def test_a_part_without_a_name_is_the_next_image_beside_the_messages():
    content = [{"type": "text", "text": "See"}, {"type": "image"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "Yes."}]
    record = read({"messages": messages, "images": ["a.jpg"]}, ShareGPT)
    assert (record.images, record.places) == (("a.jpg",), ((0, 3),))
    assert "1 <image> mark for 0" in read({"messages": messages}, ShareGPT).problem


def test_an_image_named_twice_is_one():
    content = [{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "<image>\nWhat?"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "It."}]
    record = read({"messages": messages, "images": ["a.jpg"]}, ShareGPT)
    assert (record.images, record.turns, record.problem) == (("a.jpg",), PAIR, None)


def test_a_bare_list_of_messages_is_a_record():
    assert read(said("What?", "It.")).turns == PAIR


@pytest.mark.parametrize(("raw", "kind"), [(None, "null"), (3, "the number 3"), ("x", "a text")])
def test_a_record_that_is_no_object_says_what_it_is(raw, kind):
    assert f"the record is {kind}" in read(raw).problem


def test_a_record_inside_another_object_says_its_keys():
    assert "it has the keys 'data'" in read({"data": {"conversations": said("?", "!")}}).problem


@pytest.mark.parametrize("identity", [True, {"a": 1}, [1], float("nan")])
def test_an_id_that_is_none_is_told(identity):
    record = read({"id": identity, "conversations": said("What?", "It.")})
    assert record.id == "0"
    assert "the number of the row stands in" in record.remarks[0]


def test_a_question_at_the_end_is_told():
    assert "nobody answers" in read({"conversations": said("a", "b", "c")}).remarks[0]
