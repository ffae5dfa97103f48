"""JSON records of any shape, with their keys mapped to what they mean."""

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.jsonl import JsonLines


def make(**options):
    return JsonLines(JsonLines.Options(**options))


def read(tmp_path, *records, name="data.jsonl", **options):
    file = tmp_path / name
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(make(**options).read(file))


def pair(question, answer):
    return (Turn("user", question), Turn("assistant", answer))


def test_usual_names_are_found(tmp_path):
    (record,) = read(tmp_path, {"Image_ID": 3, "Image": "a.jpg", "Question": "?", "Answer": "!"})
    assert (record.id, record.images, record.turns) == ("3", ("a.jpg",), pair("?", "!"))


def test_columns_can_be_named(tmp_path):
    raw = {
        "key": "k",
        "answer": "not this",
        "pic": ["a.jpg", {"path": "b.jpg"}],
        "q": "?",
        "a": "!",
    }
    (record,) = read(
        tmp_path, raw, id_column="key", image_column="pic", instruction_column="q",
        answer_column="a",
    )  # fmt: skip
    assert (record.id, record.images, record.turns) == ("k", ("a.jpg", "b.jpg"), pair("?", "!"))


def test_each_record_may_have_keys_of_its_own(tmp_path):
    records = read(tmp_path, {"caption": "a"}, {"response": "b", "prompt": "<image> ?"}, {"x": 1})
    assert [r.turns for r in records] == [
        pair("Describe this image in detail.", "a"),
        pair("?", "b"),
        (),
    ]


def test_messages_go_before_question_and_answer(tmp_path):
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    records = read(
        tmp_path,
        {"messages": messages, "answer": "x"},
        {"messages": None, "answer": "x"},
        {"conversation": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]},
    )
    assert [r.turns[1].text for r in records] == ["!", "x", "!"]


def test_images_can_follow_from_the_id(tmp_path):
    record, own = read(
        tmp_path, {"id": 7, "text": "a"}, {"id": 8, "text": "b", "image": "c.png"},
        image_path="images/{id}.jpg",
    )  # fmt: skip
    assert (record.images, own.images) == (("images/7.jpg",), ("c.png",))


def test_a_list_in_a_json_file_is_read_the_same(tmp_path):
    raws = [{"id": "1", "answer": "a"}, {"id": "2", "answer": "b"}]
    (tmp_path / "data.json").write_text(json.dumps(raws))
    assert list(make().read(tmp_path / "data.json")) == read(tmp_path, *raws)


def test_lines_in_a_file_called_json_are_read_the_same(tmp_path):
    raws = [{"id": "1", "answer": "a"}, {"id": "2", "answer": "b"}]
    assert read(tmp_path, *raws, name="data.json") == read(tmp_path, *raws)


def test_an_object_from_id_to_answer_is_read_and_written_whole(tmp_path):
    raw = {
        "image1": "an orange cat",
        "image2": ["a dog", "a black dog"],
        "": {"answer": "x"},
        "3": 4,
    }
    (tmp_path / "captions.json").write_text(json.dumps(raw))
    reader = make(image_path="images/{id}.jpg")
    records = list(reader.read(tmp_path / "captions.json"))
    assert [(r.id, r.turns[-1].text) for r in records] == [
        ("image1", "an orange cat"),
        ("image2", "a dog\na black dog"),
        ("2", "x"),
        ("3", "4"),
    ]
    assert records[0].images == ("images/image1.jpg",)
    header = reader.header(tmp_path / "captions.json")
    reader.write(records, tmp_path / "out.json", header)
    assert json.dumps(json.loads((tmp_path / "out.json").read_text())) == json.dumps(raw)


@pytest.mark.parametrize("text", ['{"name": "ig4"}', '{"a": {"b": 1}}', '{"a": 1, "b": "c d"}'])
def test_a_file_of_settings_is_not_taken_for_captions(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    assert not make().detect(tmp_path / "settings.json")


def test_a_pair_from_elsewhere_is_flat_and_a_conversation_is_messages(tmp_path):
    make().write(
        [
            Record("1", pair("?", "!"), ("a.jpg", b"bytes")),
            Record("2", pair("?", "!") + pair("so?", "so.")),
        ],
        tmp_path / "out.jsonl",
    )
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == {"id": "1", "images": ["a.jpg"], "instruction": "?", "answer": "!"}
    assert [m["content"] for m in second["messages"]] == ["?", "!", "so?", "so."]
    assert [len(r.turns) for r in make().read(tmp_path / "out.jsonl")] == [2, 4]


def test_an_unreadable_line_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"answer": "a"}\n{"answer": "b"\n{"answer": "c"}\n')
    with pytest.raises(DatasetError, match=r"a\.jsonl: line 2, column 15"):
        list(make().read(tmp_path / "a.jsonl"))
