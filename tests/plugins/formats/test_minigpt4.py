"""MiniGPT-4: captions in filter_cap.json, images in image/<id>.jpg."""

import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.minigpt4 import MiniGPT4

HEADED = {
    "info": {"version": 1.0, "by": "ünser"},
    "annotations": [{"image_id": "2", "caption": "A cat."}, {"caption": "A dog.", "image_id": 17}],
    "licences": [1, 2],
}


def make(**options):
    return MiniGPT4(MiniGPT4.Options(**options))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "cc_sbu_align"
    path.mkdir()
    (path / "filter_cap.json").write_text(json.dumps(HEADED), encoding="utf-8")
    return path


def test_the_path_is_the_folder_or_the_file(folder):
    assert list(make().read(folder)) == list(make().read(folder / "filter_cap.json"))
    assert make().image_folder(folder / "filter_cap.json") == folder


def test_a_caption_answers_the_default_instruction(folder):
    first = next(make().read(folder))
    question = Turn("user", "Describe this image in detail.")
    assert first.turns == (question, Turn("assistant", "A cat."))
    assert next(make(instruction="Look!").read(folder)).turns[0] == Turn("user", "Look!")


def test_ids_are_texts_and_name_the_image(folder):
    records = list(make().read(folder))
    assert [(r.id, r.images) for r in records] == [
        ("2", ("image/2.jpg",)),
        ("17", ("image/17.jpg",)),
    ]


def test_what_stands_beside_the_records_comes_back_in_its_place(folder, tmp_path):
    reader = make()
    reader.write(reader.read(folder), tmp_path / "out", reader.header(folder))
    text = (tmp_path / "out" / "filter_cap.json").read_text("utf-8")
    assert json.dumps(json.loads(text)) == json.dumps(HEADED)  # key order, too


def test_a_bare_list_stays_one(tmp_path):
    file = tmp_path / "list.json"
    file.write_text(json.dumps(HEADED["annotations"]))
    reader = make()
    assert reader.detect(file)
    reader.write(reader.read(file), tmp_path / "out.json", reader.header(file))
    assert json.loads((tmp_path / "out.json").read_text()) == HEADED["annotations"]


@pytest.mark.parametrize("bad", [None, 5, "x", [], {}, {"image_id": "1"}, {"caption": None}])
def test_a_record_without_caption_comes_without_turns_and_stops_nothing(tmp_path, bad):
    file = tmp_path / "filter_cap.json"
    good = {"image_id": "2", "caption": "A cat."}
    file.write_text(json.dumps({"annotations": [bad, good]}))
    first, second = make().read(tmp_path)
    assert first.turns == ()
    assert first.raw == bad
    assert second.raw == good


def test_a_record_from_elsewhere_gets_all_answers_as_caption(tmp_path):
    turns = (Turn("user", "a"), Turn("assistant", "One."), Turn("assistant", "Two."))
    make().write([Record("7", turns, ("images/7.png", "b.png"))], tmp_path / "out")
    written = json.loads((tmp_path / "out" / "filter_cap.json").read_text())
    assert written == {"annotations": [{"image_id": "7", "caption": "One.\nTwo."}]}


def test_the_image_is_jpg_by_name_whatever_it_holds():
    record = Record("7", (), ("photos/7.webp", "b.png"))
    assert make().image_name(record, 0, ".webp") == "image/7.jpg"
    assert make().image_name(record, 1, ".png") == "image/7-1.jpg"


def test_a_hostile_id_names_the_same_safe_image_in_the_record(tmp_path):
    record = Record("../../x", (Turn("assistant", "A cat."),), ("a.jpg",))
    name = make().image_name(record, 0, ".jpg")
    assert name.startswith("image/_.._x-")
    make().write([record], tmp_path / "out")
    assert next(make().read(tmp_path / "out")).images == (name,)


def test_no_records_are_written_as_an_empty_list(tmp_path):
    make().write([], tmp_path / "out")
    assert json.loads((tmp_path / "out" / "filter_cap.json").read_text()) == {"annotations": []}


def test_a_folder_without_the_file_and_a_file_without_the_list_are_errors(tmp_path):
    (tmp_path / "image").mkdir()
    with pytest.raises(DatasetError, match=r"holds no filter_cap\.json"):
        list(make().read(tmp_path))
    (tmp_path / "filter_cap.json").write_text('{"data": []}')
    with pytest.raises(DatasetError, match="no list under 'annotations'"):
        list(make().read(tmp_path))


def test_a_failed_write_leaves_the_old_file_and_no_other(folder):
    before = (folder / "filter_cap.json").read_bytes()

    def broken():
        yield Record("1", (Turn("assistant", "x"),))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        make().write(broken(), folder)
    assert (folder / "filter_cap.json").read_bytes() == before
    assert [file.name for file in folder.iterdir()] == ["filter_cap.json"]


@pytest.mark.shared
def test_the_published_gpt_scores_are_gb18030(shared, tmp_path):
    file = shared / "data" / "instructiongpt4" / "gpt_final_score.json"
    with pytest.raises(UnicodeDecodeError) as refused:
        file.read_text("utf-8")
    told = rf"byte {refused.value.start:,} .*try --encoding gb18030"
    with pytest.raises(DatasetError, match=told):
        list(make().read(file))
    reader = make(encoding="gb18030")
    records = list(reader.read(file))
    published = json.loads(file.read_text("gb18030"))
    assert len(records) == len(published["annotations"]) > 0
    reader.write(iter(records), tmp_path / "out", reader.header(file))
    written = json.loads((tmp_path / "out" / "filter_cap.json").read_text("gb18030"))
    assert written == published
