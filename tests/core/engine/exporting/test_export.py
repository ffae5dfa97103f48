"""Exports: what was read is written back as it was, and nothing of the user's is overwritten."""

from __future__ import annotations

import json
import sys

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export, find_selection
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.errors import DatasetError, UsageError
from ig4.core.records import Choice

from ...conftest import record


def loaded(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def dataset(folder, read):
    for n in range(4):
        folder.picture(f"images/{n}.png", (n, 0, 0))
    odd = record("odd", "an answer", "images/3.png") | {"extra": {"deep": [1, 2.5, None, "ü"]}}
    folder.write(
        record("a", "one two three", "images/0.png"),
        record("b", "one", "images/1.png"),
        record("text", "one two"),
        odd,
    )
    return read().dataset


def test_exporting_everything_gives_back_the_records_that_came_in(
    session, dataset, folder, tmp_path
):
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "all.json"))
    assert loaded(tmp_path / "out" / "all.json") == loaded(folder.path)
    assert (done.samples, done.images, done.missing_images) == (4, 3, 0)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("photos-documerica", "llava.json"),
        ("photos-fsac", "filter_cap.json"),
        ("formats/llama-factory", "mllm_demo.json"),
        ("formats/llama-factory", "v1_multimodal_demo.jsonl"),
        ("formats/clipscore-example", "good_captions.json"),
    ],
)
def test_real_data_sets_come_back_without_loss(session, shared, tmp_path, name, file):
    source = shared / "data" / name / file
    dataset = ingest(session, DatasetSource(source)).dataset
    export(session, dataset, ExportTarget(tmp_path / "out" / file, images="none"))
    if file.endswith("l"):
        read = [line for line in source.read_text(encoding="utf-8").splitlines() if line]
        written = (tmp_path / "out" / file).read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in written] == [json.loads(line) for line in read]
    else:
        assert loaded(tmp_path / "out" / file) == loaded(source)


def test_a_selection_is_written_by_rank(session, dataset, tmp_path):
    score(session, dataset, ScoreRequest([Choice("scorer", "counted")]))
    selection = select(
        session, dataset, SelectionRequest(size=2, selector=Choice("selector", "topk"))
    )
    export(session, dataset, ExportTarget(tmp_path / "out.json"), selection.id)
    assert [row["id"] for row in loaded(tmp_path / "out.json")] == ["a", "text"]
    assert find_selection(session, dataset, "last") == selection.id


def test_another_format_is_made_from_turns_and_images(session, dataset, tmp_path):
    export(session, dataset, ExportTarget(tmp_path / "mini", format="minigpt4", images="copy"))
    rows = loaded(tmp_path / "mini" / "filter_cap.json")["annotations"]
    assert rows[0] == {"image_id": "a", "caption": "one two three"}
    assert (tmp_path / "mini" / "image" / "a.jpg").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_images_are_linked_copied_or_left(session, dataset, folder, tmp_path):
    for images in ("link", "copy", "none"):
        export(session, dataset, ExportTarget(tmp_path / images / "set.json", images=images))
    assert (tmp_path / "link" / "images" / "0.png").is_symlink()
    copied = tmp_path / "copy" / "images" / "0.png"
    assert not copied.is_symlink()
    assert copied.read_bytes() == (folder.path.parent / "images" / "0.png").read_bytes()
    assert not (tmp_path / "none" / "images").exists()


def test_the_data_set_itself_is_never_overwritten(session, dataset, folder):
    before = folder.path.read_bytes()
    with pytest.raises(UsageError, match="is the data set itself"):
        export(session, dataset, ExportTarget(folder.path))
    assert folder.path.read_bytes() == before


def test_an_export_beside_the_data_set_leaves_its_images_alone(session, dataset, folder):
    export(session, dataset, ExportTarget(folder.path.with_name("again.json"), images="copy"))
    assert not (folder.path.parent / "images" / "0.png").is_symlink()
    assert (folder.path.parent / "images" / "0.png").stat().st_size > 0


def test_ids_that_would_leave_the_folder_name_safe_files(session, folder, read, tmp_path):
    folder.picture("a.png", "red")
    folder.write(record("../../evil", "one", "a.png"), record("CON", "two", "a.png"))
    out = tmp_path / "deep" / "er" / "mini"
    export(session, read().dataset, ExportTarget(out, format="minigpt4", images="copy"))
    files = [path for path in (tmp_path / "deep").rglob("*") if path.is_file()]
    assert all(out in path.parents for path in files)


def test_an_image_that_is_gone_is_counted(session, dataset, folder, tmp_path):
    (folder.path.parent / "images" / "0.png").unlink()
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "set.json"))
    assert done.missing_images == 1


@pytest.fixture
def shared_image(folder, read):
    """A data set of three samples that show one image, and one that shows another."""
    folder.picture("one.png", "red")
    folder.picture("two.png", "blue")
    shown = {"a": "one.png", "b": "one.png", "c": "two.png", "d": "one.png"}
    folder.write(*(record(name, f"answer {name}", image) for name, image in shown.items()))
    return read().dataset


def test_an_image_that_several_samples_show_is_placed_and_counted_once(
    session, shared_image, tmp_path
):
    target = ExportTarget(tmp_path / "out" / "set.json", images="copy")
    done = export(session, shared_image, target)
    assert (done.samples, done.images, done.copied) == (4, 2, 2)
    shown = [row["image"] for row in loaded(target.path)]
    assert shown == ["one.png", "one.png", "two.png", "one.png"]


def test_an_image_that_is_gone_is_counted_once_however_many_samples_show_it(
    session, shared_image, folder, tmp_path
):
    (folder.path.parent / "one.png").unlink()
    done = export(session, shared_image, ExportTarget(tmp_path / "out" / "set.json"))
    assert done.missing_images == 1


def test_a_target_that_cannot_be_written_is_named(session, dataset, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot be written"):
        export(session, dataset, ExportTarget(tmp_path / "file" / "set.json"))


def test_without_a_selection_there_is_nothing_to_export(session, dataset):
    with pytest.raises(UsageError, match="ig4 select"):
        find_selection(session, dataset, "last")


@pytest.mark.parametrize("name", ["llava", "sharegpt", "minigpt4"])
def test_nor_in_another_format(session, dataset, folder, name):
    before = folder.path.read_bytes()
    with pytest.raises(UsageError, match="is the data set itself"):
        export(session, dataset, ExportTarget(folder.path, format=name, images="none"))
    assert folder.path.read_bytes() == before


def test_nor_where_the_target_is_the_folder_that_it_lies_in(session, tmp_path):
    (tmp_path / "mini").mkdir()
    source = tmp_path / "mini" / "filter_cap.json"
    source.write_text(json.dumps({"annotations": [{"image_id": "1", "caption": "one"}]}))
    dataset = ingest(session, DatasetSource(source)).dataset
    with pytest.raises(UsageError, match="is the data set itself"):
        export(session, dataset, ExportTarget(tmp_path / "mini"))


def test_an_image_of_a_data_set_is_never_replaced_by_another(session, folder, read):
    # As MiniGPT-4 the sample "1" wants image/1.jpg, which is the image of the sample "2".
    folder.picture("image/2.jpg", "red")
    folder.picture("image/1.jpg", "blue")
    folder.write(record("1", "one", "image/2.jpg"), record("2", "two", "image/1.jpg"))
    dataset = read().dataset
    before = (folder.path.parent / "image" / "1.jpg").read_bytes()
    target = ExportTarget(folder.path.parent, format="minigpt4")
    with pytest.raises(UsageError, match="is an image of a data set"):
        export(session, dataset, target)
    assert (folder.path.parent / "image" / "1.jpg").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_nor_a_link_by_which_a_data_set_has_its_image(session, folder, read):
    folder.picture("elsewhere/a.jpg", "red")
    folder.picture("image/2.jpg", "blue")
    link = folder.path.parent / "image" / "1.jpg"
    link.symlink_to(folder.path.parent / "elsewhere" / "a.jpg")
    folder.write(record("1", "one", "image/2.jpg"), record("2", "two", "image/1.jpg"))
    dataset = read().dataset
    with pytest.raises(UsageError, match="is an image of a data set"):
        export(session, dataset, ExportTarget(folder.path.parent, format="minigpt4"))
    export(session, dataset, ExportTarget(folder.path.with_name("again.json"), images="copy"))
    assert link.is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_an_export_can_be_written_over_an_earlier_one(session, dataset, tmp_path):
    for images in ("copy", "link", "copy"):
        done = export(session, dataset, ExportTarget(tmp_path / "out" / "set.json", images=images))
    assert done.images == 3
    assert not (tmp_path / "out" / "images" / "0.png").is_symlink()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "7", "\N{SUPERSCRIPT TWO}", "9" * 30, "-1"])
def test_a_selection_that_is_not_there_is_named(session, dataset, which):
    with pytest.raises(UsageError, match=which):
        find_selection(session, dataset, which)
