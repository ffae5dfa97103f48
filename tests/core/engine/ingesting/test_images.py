"""Image files of a data set: which may be read, and what becomes of those that may not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys

import pytest
from PIL import Image
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import ConfigError, DatasetError
from ig4.core.records import Choice
from ig4.storage import samples

from ...conftest import record

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def files(session, columns="name, embedded, path, problem"):
    with session.store.reading() as connection:
        sql = f"SELECT {columns} FROM image_files ORDER BY id"
        return [tuple(row) for row in connection.execute(text(sql))]


def problems(session):
    return [problem for (problem,) in files(session, "problem")]


def png(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def data_url(data):
    import base64

    return "data:image/png;base64," + base64.b64encode(data).decode()


# Names like those of images that came inside a data set.


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.png", "secret.png", "{digest}"])
def test_a_file_named_as_ig4_names_embedded_images_is_a_file_of_that_name(
    session, folder, read, tmp_path, name
):
    secret = png("red")
    (tmp_path / "secret.png").write_bytes(secret)
    name = "sha256:" + name.format(digest=hashlib.sha256(secret).hexdigest())
    folder.write(record("a", "one", name))
    dataset = read().dataset
    ((stored, embedded, _, problem),) = files(session)
    assert (stored, bool(embedded)) == (name, False)
    assert problem == f"{name}: the image file is missing" or "--image-root" in problem
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "out.json", images="copy"))
    assert done.missing_images == 1
    written = {path.name for path in (tmp_path / "out").rglob("*")}
    assert written == {"out.json", ".ig4-files"}


def test_a_file_may_really_be_called_so(session, folder, read, tmp_path):
    folder.picture("sha256:a.png", "red")
    folder.write(record("a", "one", "sha256:a.png"))
    dataset = read().dataset
    assert problems(session) == [None]
    export(session, dataset, ExportTarget(tmp_path / "out" / "out.json", images="copy"))
    (copy,) = (path for path in (tmp_path / "out").rglob("*.png"))
    assert copy.read_bytes() == (folder.path.parent / "sha256:a.png").read_bytes()


def test_an_embedded_image_and_a_file_of_its_name_are_two(session, folder, tmp_path):
    image = png("red")
    name = "sha256:" + hashlib.sha256(image).hexdigest()
    messages = [
        {"role": "user", "content": "<image>What?"},
        {"role": "assistant", "content": "Red."},
    ]
    data = [
        {"id": "text", "messages": messages, "images": [name]},
        {"id": "bytes", "messages": messages, "images": [data_url(image)]},
    ]
    folder.path.write_text(json.dumps(data))
    dataset = ingest(session, DatasetSource(folder.path)).dataset
    assert sorted(files(session, "name, embedded, image_id IS NULL")) == [
        (name, 0, 1), (name, 1, 0),
    ]  # fmt: skip
    with session.store.reading() as connection:
        by_text, by_bytes = samples.stream(connection, dataset.id)
    assert by_text.images[0].image_id is None
    assert by_bytes.images[0].sha256 == name.removeprefix("sha256:")
    export(session, dataset, ExportTarget(tmp_path / "out" / "out.json", images="copy"))
    (copy,) = (path for path in (tmp_path / "out").rglob("*.png"))
    assert copy.read_bytes() == image


def test_a_damaged_copy_beside_the_database_is_not_taken_for_the_image(session, folder):
    image = png("red")
    messages = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "Red."}]
    data = [{"id": "a", "messages": messages, "images": [data_url(image)]}]
    folder.path.write_text(json.dumps(data))
    digest = hashlib.sha256(image).hexdigest()
    copy = session.store.image_folder / digest[:2] / digest
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"x" * len(image))
    ingest(session, DatasetSource(folder.path, name="one"))
    assert "damaged" in problems(session)[0]
    copy.write_bytes(b"x")  # cut: written anew
    ingest(session, DatasetSource(folder.path, name="two"))
    assert copy.read_bytes() == image
    assert problems(session)[1] is None


# Files that are none, and those that are too large.


@links
def test_what_is_no_file_is_a_problem_of_its_sample_alone(session, folder, read):
    home = folder.path.parent
    os.mkfifo(home / "pipe.png")
    (home / "device.png").symlink_to("/dev/zero")
    (home / "folder.png").mkdir()
    folder.picture("good.png", "red")
    names = ["pipe.png", "device.png", "folder.png", "good.png"]
    folder.write(*(record(name, "one", name) for name in names))
    assert read().samples == 4
    pipe, device, directory, good = (dict(files(session, "name, problem"))[name] for name in names)
    assert pipe == "pipe.png: the image cannot be read (it is a named pipe, not a file)"
    assert "a link that leaves the data set's folder" in device
    assert directory == "folder.png: the image cannot be read (it is a folder, not a file)"
    assert good is None


@links
def test_a_device_is_none_even_where_it_may_be_read(session, folder, read):
    (folder.path.parent / "device.png").symlink_to("/dev/zero")
    folder.write(record("a", "one", "device.png"))
    read(image_root=folder.path.parent.__class__("/dev"))
    assert problems(session) == [
        "device.png: the image cannot be read (it is a device, not a file)"
    ]


def test_a_huge_file_is_a_problem_that_names_the_limit(session, folder, read):
    with (folder.path.parent / "huge.png").open("wb") as file:
        file.truncate(30 << 30)  # takes no room
    folder.write(record("a", "one", "huge.png"))
    read()
    (problem,) = problems(session)
    assert problem == (
        "huge.png: the image cannot be read (it is larger than 268,435,456 bytes: "
        "IG4_MAX_IMAGE_MIB allows more)"
    )


def test_the_limit_can_be_set(session, folder, read, monkeypatch):
    with (folder.path.parent / "a.png").open("wb") as file:
        file.truncate((1 << 20) + 1)
    folder.write(record("a", "one", "a.png"))
    monkeypatch.setenv("IG4_MAX_IMAGE_MIB", "1")
    read()
    assert "larger than 1,048,576 bytes" in problems(session)[0]
    monkeypatch.setenv("IG4_MAX_IMAGE_MIB", "2")
    read()
    assert "zero bytes only" in problems(session)[0]


@pytest.mark.parametrize("limit", ["many", "-1", "0", "1.5"])
def test_a_limit_that_is_none_is_named(folder, read, monkeypatch, limit):
    folder.picture("a.png", "red")
    folder.write(record("a", "one", "a.png"))
    monkeypatch.setenv("IG4_MAX_IMAGE_MIB", limit)
    with pytest.raises(ConfigError, match=f"IG4_MAX_IMAGE_MIB={limit}"):
        read()


@links
def test_a_named_pipe_as_data_set_is_named_and_not_waited_for(session, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for form in (None, "llava", "csv", "parquet"):
        with pytest.raises(DatasetError, match=r"pipe\.json cannot be read: it is a named pipe"):
            ingest(session, DatasetSource(tmp_path / "pipe.json", format=form))
    os.mkfifo(tmp_path / "set.csv")
    with pytest.raises(DatasetError, match="no format"):
        ingest(session, DatasetSource(tmp_path))


# Links.


@links
@pytest.mark.parametrize("name", ["data.json", "named.json"])
def test_records_that_lie_outside_of_the_folder_are_read_only_if_named(
    session, folder, tmp_path, name
):
    folder.write(record("secret", "one"))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / name).symlink_to(folder.path)
    if name == "named.json":
        entry = {"file_name": name, "formatting": "sharegpt"}
        (inside / "dataset_info.json").write_text(json.dumps({"x": entry}))
    with pytest.raises(DatasetError, match=r"a link that leaves the folder .*name the file"):
        ingest(session, DatasetSource(inside))
    assert ingest(session, DatasetSource(inside / name)).samples == 1


@links
def test_the_cache_of_the_hub_is_read_as_it_is(session, folder, tmp_path):
    """In it a folder of links to `blobs` stands for each revision of a data set."""
    cached = tmp_path / "hub" / "datasets--me--set"
    revision = cached / "snapshots" / "0123abcd"
    for place in (cached / "blobs", revision / "image"):
        place.mkdir(parents=True)
    (cached / "blobs" / "1").write_text(json.dumps([record("a", "one", "image/1.png")]))
    (cached / "blobs" / "2").write_bytes(png("red"))
    (revision / "data.json").symlink_to("../../blobs/1")
    (revision / "image" / "1.png").symlink_to("../../../blobs/2")
    (revision / "image" / "2.png").symlink_to(folder.path)
    assert ingest(session, DatasetSource(revision)).samples == 1
    assert problems(session) == [None]


@links
def test_where_a_link_leads_is_looked_at_whenever_the_image_is_read(session, folder, read, table):
    """What was checked when the data set was read may be another file by now."""
    folder.picture("1.png", "red")
    folder.picture("../secret.png", "red")  # the same bytes: only the place differs
    folder.write(record("a", "one", "1.png"))
    dataset = read().dataset
    (folder.path.parent / "1.png").unlink()
    (folder.path.parent / "1.png").symlink_to("../secret.png")
    score(session, dataset, ScoreRequest([Choice("scorer", "pixels")]))
    ((_, value, error),) = table(session)
    assert value is None
    assert "a link that leaves the data set's folder" in error


@pytest.fixture
def table():
    def _table(session):
        with session.store.reading() as connection:
            sql = "SELECT external_id, value, error FROM scores_long ORDER BY external_id"
            return [tuple(row) for row in connection.execute(text(sql))]

    return _table


@links
@pytest.mark.parametrize("images", ["copy", "link"])
def test_an_export_takes_no_image_that_became_a_link_to_elsewhere(
    session, folder, read, tmp_path, images
):
    folder.picture("1.png", "red")
    folder.write(record("a", "one", "1.png"))
    dataset = read().dataset
    (tmp_path / "secret").write_text("secret")
    (folder.path.parent / "1.png").unlink()
    (folder.path.parent / "1.png").symlink_to(tmp_path / "secret")
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "out.json", images=images))
    assert done.missing_images == 1
    written = {path.name for path in (tmp_path / "out").rglob("*")}
    assert written == {"out.json", ".ig4-files"}


def test_an_export_copies_no_image_that_changed_since_it_was_ingested(
    session, folder, read, tmp_path, notices
):
    folder.picture("1.png", "red")
    folder.write(record("a", "one", "1.png"))
    dataset = read().dataset
    folder.picture("1.png", "blue")
    done = export(session, dataset, ExportTarget(tmp_path / "out" / "out.json", images="copy"))
    assert done.missing_images == 1
    assert any("an image changed since it was ingested" in told for told in notices())


def test_a_data_set_that_moved_reads_its_images_where_it_is_now(session, folder, read, tmp_path):
    folder.picture("1.png", "red")
    folder.write(record("a", "one", "1.png"))
    read(image_root=folder.path.parent)
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.png").write_bytes(png("blue"))
    read(image_root=other)
    assert files(session, "path") == [(str(other / "1.png"),)]


@links
def test_a_folder_that_is_a_link_may_lead_elsewhere_later(session, tmp_path, table):
    for place, colour in (("one", "red"), ("two", "blue")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "1.png").write_bytes(png(colour))
        data = tmp_path / place / "llava.json"
        data.write_text(json.dumps([record("a", "one", "1.png")]))
        os.utime(data, ns=(1, 1))
    link = tmp_path / "set"
    link.symlink_to("one")
    read = DatasetSource(link, name="set")
    ingest(session, read)
    link.unlink()
    link.symlink_to("two")
    done = ingest(session, read)
    assert done.changed_images == 1
    score(session, done.dataset, ScoreRequest([Choice("scorer", "pixels")]))
    ((_, value, error),) = table(session)
    assert (value is not None, error) == (True, None)
