"""Whatever is exported reads as the same samples: ids, order, turns, images and the rest."""

from __future__ import annotations

import base64
import csv
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.storage import samples
from ig4.storage.schema import Content

from ...conftest import picture

TARGETS = {
    "llava": "set.json",
    "sharegpt": "set.jsonl",
    "jsonl": "set.jsonl",
    "csv": "set.csv",
    "parquet": "set.parquet",
    "hf": "set",
    "minigpt4": "set",
}
"""A target for each built-in format that can read one back."""


def seen(session, dataset):
    """What there is to know of the samples of a data set, whatever their images are called."""
    with session.store.reading() as connection:
        rows = list(samples.stream(connection, dataset.id))
        hashes = dict(connection.execute(Content.__table__.select()).all())
    return [
        (row.external_id, hashes[row.content_id], row.instruction, row.answer,
         [image.sha256 for image in row.images], row.problem)
        for row in rows
    ]  # fmt: skip


def beside(path, key):
    """The texts that a key or column of an export holds."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return [row[key] for row in csv.DictReader(text.splitlines())]
    rows = json.loads(text) if path.suffix == ".json" else map(json.loads, text.splitlines())
    return [row[key] for row in rows]


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of three images beside that of the data set, and one name for a folder there."""
    for name, colour in (("a.png", "red"), ("A.png", "green"), ("b.jpg", "blue")):
        picture(tmp_path / "images" / name, colour)
    (tmp_path / "set").mkdir()
    return tmp_path / "images"


def read(session, path, root, **options):
    return ingest(session, DatasetSource(path, name=path.stem + "-in", image_root=root,
                                         **options)).dataset  # fmt: skip


def again(session, path, name="again", **options):
    return ingest(session, DatasetSource(path, name=name, **options)).dataset


def image(number, form, folder):
    """The name of an image outside the data set's folder, in one of the ways to write it."""
    name = ["a.png", "A.png", "b.jpg"][number]
    return str(folder / name) if form == "absolute" else f"../images/{name}"


def llava(rows):
    return [
        {"id": name, "image": shown, "extra": {"n": index, "same": shown}, "conversations": [
            {"from": "human", "value": f"<image>\nWhat is {index}?"},
            {"from": "gpt", "value": f"It is {name}."}]}
        for index, (name, shown) in enumerate(rows)
    ]  # fmt: skip


def sharegpt(rows):
    return [
        {"id": name, "images": [shown], "note": f"n{index}", "messages": [
            {"role": "user", "content": f"<image>What is {index}?"},
            {"role": "assistant", "content": "yes"}, {"role": "user", "content": "Sure?"},
            {"role": "assistant", "content": name}]}
        for index, (name, shown) in enumerate(rows)
    ]  # fmt: skip


def flat(rows):
    return [
        {"id": name, "image": shown, "question": f"What is {index}?", "answer": f"It is {name}.",
         "note": f"n{index}"} for index, (name, shown) in enumerate(rows)
    ]  # fmt: skip


def write_source(form, folder, rows):
    if form == "csv":
        with (folder / "set.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "image", "question", "answer", "note"])
            writer.writeheader()
            writer.writerows(flat(rows))
        return folder / "set.csv"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(flat(rows)), folder / "set.parquet")
        return folder / "set.parquet"
    make = {"llava": llava, "sharegpt": sharegpt, "jsonl": flat}[form]
    path = folder / ("set.json" if form == "llava" else "set.jsonl")
    records = make(rows)
    text = json.dumps(records) if form == "llava" else "\n".join(map(json.dumps, records))
    path.write_text(text)
    return path


@pytest.mark.parametrize("written", ["absolute", "climbing"])
@pytest.mark.parametrize("form", ["llava", "sharegpt", "jsonl", "csv", "parquet"])
def test_images_from_elsewhere_become_the_exports_own(session, elsewhere, tmp_path, form, written):
    rows = [(str(n), image(n, written, elsewhere)) for n in range(3)]
    source = write_source(form, tmp_path / "set", rows)
    dataset = read(session, source, elsewhere)
    before = seen(session, dataset)
    assert [problem for *_, problem in before] == [None] * 3
    for images in ("link", "copy"):
        out = tmp_path / images / "deep" / source.name
        done = export(session, dataset, ExportTarget(out, images=images))
        assert (done.samples, done.images, dict(done.left_out)) == (3, 3, {})
        # What lies together can be moved together.
        (tmp_path / "away").mkdir(exist_ok=True)
        shutil.move(out.parent, tmp_path / "away" / images)
        out = tmp_path / "away" / images / source.name
        if images == "copy":
            shutil.rmtree(elsewhere)
        root = elsewhere if images == "link" else None
        assert seen(session, again(session, out, name=images, image_root=root)) == before
        if form != "parquet":
            key = "extra" if form == "llava" else "note"
            assert beside(out, key) == beside(source, key)


@pytest.mark.parametrize("target", TARGETS)
def test_every_format_reads_what_it_is_given(session, elsewhere, tmp_path, target):
    rows = [(str(n), image(n, "climbing", elsewhere)) for n in range(3)]
    dataset = read(session, write_source("llava", tmp_path / "set", rows), elsewhere)
    before = seen(session, dataset)
    for images in ("copy", "link"):
        out = tmp_path / images / TARGETS[target]
        done = export(session, dataset, ExportTarget(out, format=target, images=images))
        assert (done.samples, done.images) == (3, 3)
        dataset_again = again(session, out, name=images, image_root=elsewhere, format=target)
        if target == "minigpt4":  # it has no instructions
            captions = [(name, *more) for name, _, _, *more in seen(session, dataset_again)]
            assert captions == [(name, *more) for name, _, _, *more in before]
        else:
            assert seen(session, dataset_again) == before


@pytest.mark.parametrize("target", TARGETS)
def test_images_inside_a_data_set_get_out_of_it(session, elsewhere, tmp_path, target):
    struct = [{"bytes": (elsewhere / name).read_bytes(), "path": None} for name in
              ("a.png", "A.png", "b.jpg")]  # fmt: skip
    rows = [{**row, "image": one} for row, one in zip(flat([(str(n), "") for n in range(3)]),
                                                      struct, strict=True)]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / "set.parquet")
    dataset = read(session, tmp_path / "set" / "set.parquet", None)
    out = tmp_path / "out" / TARGETS[target]
    export(session, dataset, ExportTarget(out, format=target))
    back = seen(session, again(session, out, format=target))
    assert [one[4] for one in back] == [one[4] for one in seen(session, dataset)]
    assert [one[0] for one in back] == ["0", "1", "2"]


def test_data_urls_stay_in_their_records(session, elsewhere, tmp_path):
    data = base64.b64encode((elsewhere / "a.png").read_bytes()).decode()
    source = write_source("jsonl", tmp_path / "set", [("x", f"data:image/png;base64,{data}")])
    dataset = read(session, source, None)
    out = tmp_path / "out" / "set.jsonl"
    export(session, dataset, ExportTarget(out, images="copy"))
    assert json.loads(out.read_text()) == json.loads(source.read_text())
    assert seen(session, again(session, out)) == seen(session, dataset)


def test_without_images_records_go_on_to_name_those_of_the_data_set(session, elsewhere, tmp_path):
    rows = [(str(n), image(n, "climbing", elsewhere)) for n in range(3)]
    dataset = read(session, write_source("llava", tmp_path / "set", rows), elsewhere)
    for form, name in (("llava", "set.json"), ("sharegpt", "set.jsonl"), ("parquet", "x.parquet")):
        out = tmp_path / "other" / name
        done = export(session, dataset, ExportTarget(out, format=form, images="none"))
        assert [path.name for path in out.parent.iterdir() if path.is_dir()] == []
        assert done.images == 0
        back = again(session, out, name=form, image_root=elsewhere)
        assert seen(session, back) == seen(session, dataset)
    assert json.loads((tmp_path / "other" / "set.json").read_text())[0]["image"] == rows[0][1]


def test_a_path_that_an_option_makes_is_written_into_the_record(session, elsewhere, tmp_path):
    source = tmp_path / "set" / "set.jsonl"
    source.write_text(json.dumps({"id": "b", "answer": "blue", "note": "kept"}) + "\n")
    dataset = read(session, source, elsewhere, options={"image_path": "../images/{id}.jpg"})
    out = tmp_path / "out" / "set.jsonl"
    export(session, dataset, ExportTarget(out, images="copy"))
    assert beside(out, "note") == ["kept"]
    assert seen(session, again(session, out)) == seen(session, dataset)
