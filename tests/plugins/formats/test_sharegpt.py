"""ShareGPT and LLaMA-Factory: messages and images, under several names."""

import base64
import json

import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.sharegpt import ShareGPT

MESSAGES = [
    {"role": "user", "content": "<image>Who?"},
    {"role": "assistant", "content": "Two cats."},
]
PAIR = (Turn("user", "Who?"), Turn("assistant", "Two cats."))


def make(**options):
    return ShareGPT(ShareGPT.Options(**options))


def read(tmp_path, *records, **options):
    file = tmp_path / "data.json"
    file.write_text(json.dumps(records))
    return list(make(**options).read(file))


def test_messages_and_images(tmp_path):
    (record,) = read(tmp_path, {"messages": MESSAGES, "images": ["a.jpg"]})
    assert record == Record("0", PAIR, ("a.jpg",), {"messages": MESSAGES, "images": ["a.jpg"]})


def test_the_classic_conversations_are_read_as_well(tmp_path):
    turns = [{"from": "human", "value": "<image>Who?"}, {"from": "gpt", "value": "Two cats."}]
    (record,) = read(tmp_path, {"id": 4, "conversations": turns, "images": "a.jpg"})
    assert (record.id, record.turns, record.images) == ("4", PAIR, ("a.jpg",))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "value": "a.jpg"},
        {"type": "image_url", "image_url": {"url": "a.jpg"}},
        {"type": "image", "image": "a.jpg"},
    ],
)
def test_images_among_the_parts_of_a_content(tmp_path, part):
    content = [part, {"type": "text", "value": "Who?"}]
    answer = [{"type": "text", "text": "Two cats."}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
    (record,) = read(tmp_path, {"messages": messages})
    assert (record.turns, record.images) == (PAIR, ("a.jpg",))


def test_a_data_url_is_an_embedded_image(tmp_path):
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
    (record,) = read(tmp_path, {"messages": MESSAGES, "images": [url]})
    assert record.images == (b"\x89PNG",)


def test_system_prompts_and_tools_are_turns(tmp_path):
    messages = [*MESSAGES, {"role": "observation", "content": "42"}]
    (record,) = read(tmp_path, {"system": "Be kind.", "messages": messages})
    assert [turn.role for turn in record.turns] == ["system", "user", "assistant", "tool"]


def test_other_names_are_options(tmp_path):
    dialogue = [{"who": "me", "says": "<image>Who?"}, {"who": "you", "says": "Two cats."}]
    options = {
        "messages_column": "dialogue", "images_column": "pictures", "role_tag": "who",
        "content_tag": "says", "user_tag": "me", "assistant_tag": "you",
    }  # fmt: skip
    (record,) = read(tmp_path, {"dialogue": dialogue, "pictures": ["a.jpg"]}, **options)
    assert (record.turns, record.images) == (PAIR, ("a.jpg",))
    assert make(**options).detect(tmp_path / "data.json")


@pytest.mark.parametrize("bad", [None, 1, {}, {"messages": "x"}, {"messages": MESSAGES[:1]}])
def test_a_record_nobody_answers_in_comes_without_turns(tmp_path, bad):
    first, second = read(tmp_path, bad, {"messages": MESSAGES})
    assert (first.turns, first.raw) == ((), bad)
    assert second.turns == PAIR


def test_a_record_from_elsewhere_has_a_mark_for_each_image(tmp_path):
    make().write([Record("7", PAIR, ("a.jpg", "b.jpg")), Record("8", PAIR)], tmp_path / "o.json")
    first, second = json.loads((tmp_path / "o.json").read_text())
    assert first["images"] == ["a.jpg", "b.jpg"]
    assert first["messages"][0] == {"role": "user", "content": "<image><image>Who?"}
    assert "images" not in second
    assert [r.id for r in make().read(tmp_path / "o.json")] == ["7", "8"]


def info(folder, **entries):
    (folder / "dataset_info.json").write_text(json.dumps(entries))


def test_dataset_info_says_what_things_are_called(tmp_path):
    info(
        tmp_path,
        absent={"file_name": "absent.json", "formatting": "sharegpt"},
        mine={
            "file_name": "mine.json",
            "formatting": "sharegpt",
            "columns": {"messages": "dialogue", "images": "pictures"},
            "tags": {"role_tag": "r", "content_tag": "c", "user_tag": "U", "assistant_tag": "A"},
        },
    )
    dialogue = [{"r": "U", "c": "<image>Who?"}, {"r": "A", "c": "Two cats."}]
    (tmp_path / "mine.json").write_text(json.dumps([{"dialogue": dialogue, "pictures": ["a.jpg"]}]))
    assert make().detect(tmp_path)
    (record,) = make().read(tmp_path)
    assert (record.turns, record.images) == (PAIR, ("a.jpg",))


def test_of_several_data_sets_the_user_says_which(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"id": name, "messages": MESSAGES}]))
    info(
        tmp_path,
        **{n: {"file_name": f"{n}.json", "formatting": "sharegpt"} for n in ("one", "two")},
    )
    with pytest.raises(DatasetError, match=r"-o dataset=one \(there are: one, two\)"):
        list(make().read(tmp_path))
    assert [r.id for r in make(dataset="two").read(tmp_path)] == ["two"]
    with pytest.raises(UsageError, match="no ShareGPT data set 'three'"):
        list(make(dataset="three").read(tmp_path))


def test_dataset_info_cannot_name_a_file_outside_its_folder(tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps([{"messages": MESSAGES}]))
    inner = tmp_path / "inner"
    inner.mkdir()
    info(inner, leak={"file_name": "../secret.json", "formatting": "sharegpt"})
    assert not make().detect(inner)


@pytest.mark.shared
def test_the_examples_of_llama_factory(shared):
    folder = shared / "data" / "formats" / "llama-factory"
    first = next(make().read(folder / "mllm_demo.json"))
    assert first.images == ("mllm_demo_data/1.jpg", "mllm_demo_data/1.jpg")
    parts = next(make().read(folder / "v1_multimodal_demo.jsonl"))
    assert [t.text for t in parts.turns] == [t.text for t in first.turns]
    assert parts.images == ("data/mllm_demo_data/1.jpg",) * 2


def test_pairs_beside_conversations_are_read_too(tmp_path):
    """JSON lines made from a data set of both kinds hold both, and look like this format."""
    talk = {"id": "1", "images": [], "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yo"}, {"role": "user", "content": "more"},
            {"role": "assistant", "content": "ok"}]}  # fmt: skip
    pair = {"id": "2", "images": ["a.png"], "instruction": "What?", "answer": "A dog."}
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(talk) + "\n" + json.dumps(pair) + "\n")
    records = list(make().read(path))
    assert [len(record.turns) for record in records] == [4, 2]
    assert (records[1].id, records[1].images) == ("2", ("a.png",))
    assert [turn.text for turn in records[1].turns] == ["What?", "A dog."]


def test_a_dataset_info_outside_of_the_folder_is_not_read(tmp_path):
    entry = {"file_name": "data.json", "formatting": "sharegpt"}
    (tmp_path / "secret.json").write_text(json.dumps({"x": entry}))
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "data.json").write_text(json.dumps([{"messages": MESSAGES}]))
    (folder / "dataset_info.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(DatasetError, match=r"dataset_info\.json cannot be read: it lies outside"):
        list(make().read(folder))
