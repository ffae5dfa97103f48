"""LLaVA: conversations between human and gpt."""

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.llava import Llava

PAIR = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]


def make(**options):
    return Llava(Llava.Options(**options))


def read(tmp_path, *records):
    file = tmp_path / "llava.json"
    file.write_text(json.dumps(records))
    return list(make().read(file))


def written(tmp_path, *records, name="out.json"):
    make().write(records, tmp_path / name)
    return json.loads((tmp_path / name).read_text("utf-8"))


def test_the_image_token_leaves_the_turns_but_not_the_record(tmp_path):
    raw = {"id": "1", "image": "a.jpg", "conversations": PAIR}
    (record,) = read(tmp_path, raw)
    assert record.turns == (Turn("user", "What?"), Turn("assistant", "A cat."))
    assert record.images == ("a.jpg",)
    assert record.raw == raw


def test_a_conversation_is_one_record(tmp_path):
    more = [*PAIR, {"from": "human", "value": "And?"}, {"from": "gpt", "value": "Asleep."}]
    (record,) = read(tmp_path, {"id": "1", "conversations": more})
    assert [turn.role for turn in record.turns] == ["user", "assistant"] * 2


@pytest.mark.parametrize(
    ("shown", "images"),
    [
        ({}, ()),
        ({"image": None}, ()),
        ({"image": ""}, ()),
        ({"image": "a.jpg"}, ("a.jpg",)),
        ({"image": ["a.jpg", "b.jpg"]}, ("a.jpg", "b.jpg")),
    ],
)
def test_image_is_a_path_a_list_or_absent(tmp_path, shown, images):
    assert read(tmp_path, {"id": "1", **shown, "conversations": PAIR})[0].images == images


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"id": "a"}, "a"), ({"id": 17}, "17"), ({}, "1"), ({"id": None}, "1"), ({"id": True}, "1")],
)
def test_ids_are_texts_and_the_row_number_stands_in(tmp_path, fields, expected):
    records = read(tmp_path, {"conversations": PAIR}, {**fields, "conversations": PAIR})
    assert records[1].id == expected


@pytest.mark.parametrize(
    "bad",
    [None, 3, "x", [], {}, {"conversations": None}, {"conversations": [1, {"from": 3}]},
     {"conversations": PAIR[:1]}],
)  # fmt: skip
def test_a_record_nobody_answers_in_comes_without_turns_and_stops_nothing(tmp_path, bad):
    first, second = read(tmp_path, bad, {"id": "1", "conversations": PAIR})
    assert first.turns == ()
    assert first.raw == bad
    assert len(second.turns) == 2


def test_an_answer_without_a_question_gets_the_instruction(tmp_path):
    (record,) = read(tmp_path, {"conversations": PAIR[1:]})
    assert record.turns[0] == Turn("user", "Describe this image in detail.")


def test_an_empty_answer_is_an_answer(tmp_path):
    (record,) = read(tmp_path, {"conversations": [PAIR[0], {"from": "gpt", "value": ""}]})
    assert record.turns[1] == Turn("assistant", "")


def test_records_are_written_as_they_were(tmp_path):
    raws = [
        {"z": 10**30, "id": 1, "conversations": PAIR, "a": {"b": [1.5, None, "\ud800 ☃"]}},
        None,
    ]
    records = read(tmp_path, *raws)
    again = written(tmp_path, *records)
    assert json.dumps(again) == json.dumps(raws)


def test_a_record_from_elsewhere_shows_its_images_first(tmp_path):
    turns = (Turn("system", "Be kind."), Turn("user", "Compare."), Turn("assistant", "Same."))
    one, two, none = written(
        tmp_path,
        Record("1", turns, ("images/1.jpg",)),
        Record("2", turns, ("a.jpg", "b.jpg")),
        Record("3", turns),
    )
    assert one == {
        "id": "1",
        "image": "images/1.jpg",
        "conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "<image>\nCompare."},
            {"from": "gpt", "value": "Same."},
        ],
    }
    assert two["image"] == ["a.jpg", "b.jpg"]
    assert two["conversations"][1]["value"] == "<image>\n<image>\nCompare."
    assert "image" not in none


def test_a_target_with_the_ending_of_lines_gets_lines(tmp_path):
    records = [Record(str(n), (Turn("assistant", "x"),)) for n in range(3)]
    make().write(records, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1", "2"]
    assert [record.id for record in make().read(tmp_path / "out.jsonl")] == ["0", "1", "2"]


def test_a_target_without_an_ending_is_a_folder(tmp_path):
    make().write([Record("1", (Turn("assistant", "x"),))], tmp_path / "out")
    assert (tmp_path / "out" / "llava.json").is_file()
    assert make().image_folder(tmp_path / "later") == tmp_path / "later"
    assert make().image_folder(tmp_path / "later.json") == tmp_path


def test_a_folder_with_two_data_sets_asks_which(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps([{"conversations": PAIR}]))
    with pytest.raises(DatasetError, match=r"a\.json, b\.json"):
        list(make().read(tmp_path))


def test_one_object_is_not_a_list_of_records(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"conversations": PAIR}))
    with pytest.raises(DatasetError, match="holds one JSON object"):
        list(make().read(tmp_path / "a.json"))


def test_the_encoding_serves_reading_and_writing(tmp_path):
    file = tmp_path / "a.json"
    raw = [{"id": "出口", "conversations": PAIR}, {"id": "\ud800", "conversations": PAIR}]
    file.write_text(json.dumps(raw[:1], ensure_ascii=False), encoding="gb18030")
    reader = make(encoding="gb18030")
    records = [*reader.read(file), Record("\ud800", (), (), raw[1])]
    reader.write(records, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text("gb18030")) == raw
