"""Images that the settings of one command refuse: another command, with others, takes them up."""

import io
import json
import os
import tarfile

import pytest
from PIL import Image
from sqlalchemy import text

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest

from ....file_server import serving
from ...conftest import record


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def home(tmp_path):
    """A folder with an image of more than a MiB, in a file and in a shard."""
    folder = tmp_path / "served"
    folder.mkdir()
    Image.frombytes("RGB", (700, 700), os.urandom(3 * 700 * 700)).save(folder / "noise.png")
    with tarfile.open(folder / "s.tar", "w") as tar:
        for name, data in (
            ("0.png", (folder / "noise.png").read_bytes()),
            ("0.json", json.dumps({"question": "What?", "answer": "noise"}).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    (folder / "llava.json").write_text(json.dumps([record("0", "noise", "noise.png")]))
    return folder


def problems(session):
    with session.store.reading() as connection:
        return [row[0] for row in connection.execute(text("SELECT problem FROM image_files"))]


@pytest.mark.parametrize("name", ["s.tar", "llava.json"])
@pytest.mark.parametrize("is_far", [False, True])
def test_an_image_that_was_too_large_is_read_once_it_may_be(
    session, home, monkeypatch, name, is_far
):
    with serving(home) as server:
        source = DatasetSource(f"{server.url}/{name}" if is_far else home / name)
        monkeypatch.setenv("IG4_MAX_IMAGE_MIB", "1")
        assert ingest(session, source).unreadable_images == 1
        (problem,) = problems(session)
        assert "larger than 1,048,576 bytes: IG4_MAX_IMAGE_MIB allows more" in problem
        monkeypatch.setenv("IG4_MAX_IMAGE_MIB", "2")
        done = ingest(session, source)
        assert (done.unreadable_images, done.changed_images) == (0, 1)


def test_a_host_that_was_not_public_is_asked_once_it_may_be(session, home, tmp_path):
    with serving(home) as server:
        path = tmp_path / "web.json"
        path.write_text(json.dumps([record("0", "noise", f"{server.url}/noise.png")]))
        assert ingest(session, DatasetSource(path, fetch_images="public")).unreadable_images == 1
        assert "--fetch-images any" in problems(session)[0]
        assert server.requests == []
        assert ingest(session, DatasetSource(path, fetch_images="any")).unreadable_images == 0


@pytest.mark.parametrize("status", [401, 403])
def test_images_that_were_refused_are_asked_for_again_with_credentials(session, home, status):
    with serving(home) as server:
        server.answers["/noise.png"] = lambda handler: handler.simple(status, b"no")
        source = DatasetSource(home / "llava.json", image_root=server.url)
        assert ingest(session, source).unreadable_images == 1
        assert f"answers {status}" in problems(session)[0]
        server.answers.clear()
        assert ingest(session, source).unreadable_images == 0


def test_what_is_refused_to_records_own_addresses_is_not_asked_for_again(session, home, tmp_path):
    with serving(home) as server:
        server.answers["/noise.png"] = lambda handler: handler.simple(403, b"no")
        path = tmp_path / "web.json"
        path.write_text(json.dumps([record("0", "noise", f"{server.url}/noise.png")]))
        for _ in range(2):
            done = ingest(session, DatasetSource(path, fetch_images="any"))
            assert done.unreadable_images == 1
        assert len(server.requests) == 1
