"""JSON records of any shape, with their keys mapped to what they mean."""

import json

import pyarrow as pa
import pytest

from ig4.core.errors import DatasetError, UsageError
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


# --- Alpaca -----------------------------------------------------------------------------------


def test_alpaca_with_input_history_and_system(tmp_path):
    raw = {
        "instruction": "Translate.", "input": "Haus", "output": "house", "system": "Be brief.",
        "history": [["Hi", "Hello."]], "images": [],
    }  # fmt: skip
    (record,) = read(tmp_path, raw)
    assert [tuple(turn) for turn in record.turns] == [
        ("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."),
        ("user", "Translate.\nHaus"), ("assistant", "house"),
    ]  # fmt: skip


def test_empty_fields_of_alpaca_change_nothing(tmp_path):
    raw = {"instruction": "Say it.", "input": "", "output": "It.", "system": None, "history": []}
    (record,) = read(tmp_path, raw)
    assert record.turns == (Turn("user", "Say it."), Turn("assistant", "It."))


def test_a_history_that_cannot_be_read_is_a_problem(tmp_path):
    (record,) = read(tmp_path, {"instruction": "a", "output": "b", "history": "earlier"})
    assert "its history cannot be read" in record.problem


def test_a_column_called_input_beside_a_question_is_not_the_question(tmp_path):
    (record,) = read(tmp_path, {"question": "Who?", "input": "17", "answer": "I."})
    assert record.turns[0].text == "Who?"


def test_input_alone_is_the_instruction(tmp_path):
    (record,) = read(tmp_path, {"input": "Who?", "output": "I."})
    assert record.turns[0].text == "Who?"


# --- Data-Juicer ------------------------------------------------------------------------------


def test_the_marks_of_data_juicer(tmp_path):
    raw = {"text": "<__dj__image> A cat. <|__dj__eoc|>", "images": ["a.jpg"]}
    (record,) = read(tmp_path, raw)
    assert (record.turns[1].text, record.images, record.places) == ("A cat.", ("a.jpg",), None)
    assert record.problem is None


def test_chunks_of_data_juicer_keep_the_places_of_their_images(tmp_path):
    raw = {"text": "<__dj__image> A cat. <|__dj__eoc|> <__dj__image> A dog. <|__dj__eoc|>",
           "images": ["a.jpg", "b.jpg"]}  # fmt: skip
    (record,) = read(tmp_path, raw)
    assert record.turns[1].text == "A cat.\n A dog."
    assert record.places == ((1, 0), (1, 7))
    assert read(tmp_path, {**raw, "images": ["a.jpg"]})[0].problem == "2 <image> marks for 1 image"


def test_videos_of_data_juicer_are_a_problem(tmp_path):
    (record,) = read(tmp_path, {"text": "<__dj__video> A cat. <|__dj__eoc|>", "videos": ["a.mp4"]})
    assert "a video or sound" in record.problem


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    [{"data": None}, {"version": "1", "data": None, "licence": {"a": 1}}, {"annotations": None}],
)
def test_a_list_under_a_key_is_read_and_written_back(tmp_path, around):
    (key,) = (name for name, value in around.items() if value is None)
    records = [{"id": "1", "question": "Who?", "answer": "I."}]
    whole = {**around, key: records}
    (tmp_path / "a.json").write_text(json.dumps(whole))
    assert make().detect(tmp_path / "a.json")
    found = list(make().read(tmp_path / "a.json"))
    assert [record.raw for record in found] == records
    make().write(found, tmp_path / "b.json", make().header(tmp_path / "a.json"))
    assert json.dumps(json.loads((tmp_path / "b.json").read_text())) == json.dumps(whole)


def test_of_several_lists_the_user_says_which(tmp_path):
    lists = {"info": [{"year": 2}], "data": [{"id": "1", "question": "Who?", "answer": "I."}]}
    (tmp_path / "a.json").write_text(json.dumps(lists))
    with pytest.raises(DatasetError, match="lists under info, data: say which with -o key=info"):
        list(make().read(tmp_path / "a.json"))
    assert make(key="data").detect(tmp_path / "a.json")
    assert [record.id for record in make(key="data").read(tmp_path / "a.json")] == ["1"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz", "a.jsonl.zst"])
def test_compressed_files_are_read(tmp_path, name):
    records = [{"id": str(n), "question": "Who?", "answer": f"{n}."} for n in range(3)]
    text = json.dumps(records) if ".json." in name else "\n".join(map(json.dumps, records))
    codec = "zstd" if name.endswith(".zst") else "gzip"
    with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / name), "wb"), codec) as file:
        file.write(text.encode())
    assert make().detect(tmp_path)
    assert [record.raw for record in make().read(tmp_path)] == records


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_compressed_file_that_is_cut_off_is_named(tmp_path, codec):
    content = pa.compress(
        b"\n".join(b'{"id": "%d", "answer": "It."}' % n for n in range(9999)), codec, asbytes=True
    )
    (tmp_path / "a.jsonl").write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"a\.jsonl"):
        list(make().read(tmp_path / "a.jsonl"))


def test_one_file_for_each_split_asks_for_the_split(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": name, "answer": "It."}) + "\n")
    with pytest.raises(DatasetError, match="has the splits train, test: say which with -o split"):
        list(make().read(tmp_path))
    assert [record.id for record in make(split="train").read(tmp_path)] == ["train"]
    with pytest.raises(UsageError, match="no split 'dev'"):
        list(make(split="dev").read(tmp_path))
