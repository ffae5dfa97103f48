"""Question files: what a record may say, and how what is wrong with one is told."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.ingesting.paths import ImageRoots
from ig4.core.errors import DatasetError
from ig4.core.files.answers.questions import read_questions


@pytest.fixture
def file(tmp_path):
    """Write records, or lines as they are, into a question file."""

    def _file(*records, name="q.jsonl"):
        lines = (one if isinstance(one, str) else json.dumps(one) for one in records)
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        return tmp_path / name

    return _file


@pytest.mark.parametrize("name", ["question", "text", "prompt", "instruction"])
def test_a_question_may_stand_under_several_names(file, name):
    (one,) = read_questions(file({name: "Hm?"}))
    assert (one.text, one.image, one.id) == ("Hm?", None, 0)


@pytest.mark.parametrize("name", ["id", "question_id", "sample_id"])
def test_ids_are_the_files_own_or_the_number_of_the_record(file, name):
    found = read_questions(file({name: "a", "question": "Hm?"}, {"question": "And?"}))
    assert [(one.id, one.key) for one in found] == [("a", "a"), (1, "1")]


def test_a_list_in_json_serves_as_well(file):
    path = file(json.dumps([{"question": "Hm?"}, {"question": "And?"}]), name="q.json")
    assert [one.text for one in read_questions(path)] == ["Hm?", "And?"]


def test_a_prompt_is_one_turn_of_the_user_with_the_image(file, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (one,) = read_questions(file({"question": "Hm?", "image": "a.png"}))
    prompt = one.prompt(ImageRoots(tmp_path))
    assert [(turn.role, turn.text) for turn in prompt.turns] == [("user", "Hm?")]
    assert [image.path for image in prompt.images] == [tmp_path / "a.png"]


@pytest.mark.parametrize("image", ["../a.png", "/etc/passwd", "..\\a.png", "C:\\a.png"])
def test_an_image_outside_is_not_even_named_to_the_trainer(file, tmp_path, image):
    (one,) = read_questions(file({"question": "Hm?", "image": image}))
    (shown,) = one.prompt(ImageRoots(tmp_path)).images
    assert shown.path is None
    assert "--image-root" in str(shown.problem)


def test_what_no_file_can_hold_becomes_a_mark(file):
    (one,) = read_questions(file({"id": "\udfff", "question": "\ud800\0?", "image": "\udfff.png"}))
    for text in (one.key, one.text, one.image):
        text.encode()
        assert "\0" not in text


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], "is empty"),
        (["3"], "record 1 is not a JSON object"),
        ([{"image": "a.png"}], "record 1 has no question"),
        ([{"question": "Hm?"}, {"question": "  "}], "record 2 has no question"),
        ([{"question": 3}], "has no question"),
        ([{"question": "Hm?", "image": 3}], "its image is not a path"),
        ([{"id": 1, "question": "a"}, {"id": "1", "question": "b"}], "'1' comes twice"),
        (["{"], "line 1"),
        (["[" * 100_000], "nested too deeply"),
        (['{"question": "Hm?", "id": ' + "9" * 5000 + "}"], "too many digits"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file, records, told):
    with pytest.raises(DatasetError, match=told):
        read_questions(file(*records))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.jsonl: there is no such file"):
        read_questions(tmp_path / "none.jsonl")


def test_questions_repeated_as_they_are_count_once_and_are_told(file):
    told = []
    path = file(
        {"id": 1, "question": "a"}, {"id": "1", "question": "a"}, {"id": 2, "question": "a"}
    )
    assert [one.key for one in read_questions(path, told.append)] == ["1", "2"]
    assert told == [f"{path}: 1 row repeats the question of an earlier one, and counts once"]
