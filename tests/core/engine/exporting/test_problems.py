"""Samples with a problem do not get into an export; they are counted, and said."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.exporting.records import why_untrainable
from ig4.core.records import Record, Turn

from ...conftest import record


def loaded(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def dataset(folder, read):
    folder.picture("a.png", "red")
    folder.picture("gone.png", "green")
    folder.picture("other.png", "blue")
    folder.write(
        record("good", "yes", "a.png"),
        {"id": "none", "image": "a.png", "conversations": []},
        {"id": "odd", "conversations": "no list"},
        record("empty", "", "a.png"),
        record("missing", "yes", "missing.png"),
        record("gone", "yes", "gone.png"),
        record("other", "yes", "other.png"),
        record("text", "yes"),
    )
    made = read().dataset
    (folder.path.parent / "gone.png").unlink()
    folder.picture("other.png", "black", size=(9, 9))
    return made


@pytest.mark.parametrize(("form", "images"), [("sharegpt", "copy"), ("llava", "link")])
def test_only_whole_samples_are_written(session, dataset, tmp_path, form, images, notices):
    target = ExportTarget(tmp_path / "out" / "set.json", format=form, images=images)
    done = export(session, dataset, target)
    assert [row["id"] for row in loaded(tmp_path / "out" / "set.json")] == ["good", "text"]
    assert dict(done.left_out) == {
        "the record is not a conversation: no instruction and no answer can be read in it": 1,
        "the conversation is 'no list', which is no list of messages": 1,
        "the answer is empty": 1,
        "an image cannot be read": 1,
        "an image is gone": 1,
        "an image changed since it was ingested": 1,
    }
    assert done.missing_images == 3
    assert "1 sample left out of the export: the record is not" in "\n".join(notices())


def test_records_are_kept_as_they_were_read_where_that_is_wanted(
    session, dataset, folder, tmp_path
):
    out = tmp_path / "out" / "set.json"
    done = export(session, dataset, ExportTarget(out, keep_problems=True))
    assert loaded(out) == loaded(folder.path)
    assert dict(done.left_out) == {}


def test_but_not_in_another_format_which_cannot_say_them(session, dataset, tmp_path):
    target = ExportTarget(tmp_path / "set.jsonl", format="sharegpt", keep_problems=True)
    assert export(session, dataset, target).samples == 2


def test_an_image_counts_once_however_many_samples_miss_it(session, folder, read, tmp_path):
    folder.picture("a.png", "red")
    folder.write(*(record(name, "yes", "missing.png") for name in "abc"))
    done = export(session, read().dataset, ExportTarget(tmp_path / "out.json"))
    assert (done.samples, done.missing_images, sum(done.left_out.values())) == (0, 1, 3)


@pytest.mark.parametrize("trainer", ["llamafactory", "swift", "trl"])
def test_marks_that_would_stop_a_trainer_do_not_reach_it(session, folder, read, tmp_path, trainer):
    folder.picture("a.png", "red")
    folder.write(
        record("good", "yes", "a.png"),
        record("video", "yes", "a.png", instruction="<video>\nWhat happens?"),
        record("audio", "It says <audio>.", "a.png"),
    )
    done = export(session, read().dataset, ExportTarget(tmp_path / "out", trainer=trainer))
    assert done.samples == 1
    assert sum(done.left_out.values()) == 2


def test_files_of_a_trainer_are_left_out_if_marks_and_images_differ():
    record = Record("a", (Turn("user", "<image>\n<image>\nWhat?"), Turn("assistant", "x")), ("a",))
    assert why_untrainable(record) is not None
    assert why_untrainable(record._replace(images=("a", "b"))) is None
    assert why_untrainable(record._replace(turns=(Turn("user", "What?"),))) is None
