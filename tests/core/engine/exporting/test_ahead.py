"""Images that lie elsewhere are fetched many at a time while an export is written."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import unquote

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting import ahead
from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.files.remote import web
from ig4.core.files.remote.cache import remote_cache

from ....file_server import serving
from ...conftest import picture, record

N = 3


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    folder = tmp_path / "served"
    for n in range(N):
        picture(folder / "images" / f"{n}.png", ("red", "green", "blue")[n])
    records = [record(str(n), f"answer {n}", f"images/{n}.png") for n in range(N)]
    (folder / "llava.json").write_text(json.dumps(records))
    with serving(folder) as running:
        yield running


@pytest.fixture
def lost(session, server):
    """A data set of the server, of whose images the cache has none any more."""
    dataset = ingest(session, DatasetSource(f"{server.url}/llava.json", name="far")).dataset
    with session.store.reading() as connection:
        for digest in connection.scalars(text("SELECT sha256 FROM images")):
            remote_cache().drop(digest)
    server.requests.clear()
    return dataset


def let_answer(server, answer):
    server.answers = {f"/images/{n}.png": answer for n in range(N)}


@pytest.mark.parametrize("form", ["llava", "webdataset"])
def test_none_is_asked_for_only_after_another_has_come(session, server, lost, tmp_path, form):
    together = threading.Barrier(N, timeout=20)

    def answer(handler):
        together.wait()  # it breaks where they are asked for one by one
        handler.simple(200, (server.folder / unquote(handler.path).lstrip("/")).read_bytes())

    let_answer(server, answer)
    done = export(session, lost, ExportTarget(tmp_path / "out", format=form))
    assert (done.samples, done.images, done.missing_images) == (N, N, 0)


def test_images_that_stay_where_they_are_are_not_fetched(session, server, lost, tmp_path):
    done = export(session, lost, ExportTarget(tmp_path / "out.json", images="none"))
    assert done.samples == N
    assert server.requests == []


def test_those_that_wait_are_few(session, server, lost, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "_ROWS", 1)
    done = export(session, lost, ExportTarget(tmp_path / "out" / "llava.json"))
    written = json.loads((tmp_path / "out" / "llava.json").read_text())
    assert [one["id"] for one in written] == [str(n) for n in range(N)]
    assert (done.copied, len(server.requests)) == (N, N)


def test_those_without_an_image_do_not_overtake_those_that_wait(session, server, tmp_path):
    records = [record(str(n), f"a{n}", "images/0.png" if n % 2 else None) for n in range(6)]
    (server.folder / "mixed.json").write_text(json.dumps(records))
    dataset = ingest(session, DatasetSource(f"{server.url}/mixed.json")).dataset
    with session.store.reading() as connection:
        remote_cache().drop(connection.scalar(text("SELECT sha256 FROM images")))
    export(session, dataset, ExportTarget(tmp_path / "out" / "llava.json"))
    written = json.loads((tmp_path / "out" / "llava.json").read_text())
    assert [one["id"] for one in written] == [str(n) for n in range(6)]


def test_one_that_is_gone_is_told_as_it_would_be_without(session, server, lost, tmp_path):
    server.answers = {"/images/1.png": lambda handler: handler.simple(404, b"")}
    done = export(session, lost, ExportTarget(tmp_path / "out" / "llava.json"))
    assert (done.samples, done.missing_images) == (N - 1, 1)


def test_an_interrupted_export_waits_for_no_server(session, server, lost, tmp_path, monkeypatch):
    ended = threading.Event()

    def answer(handler):
        ended.wait(60)
        handler.simple(503, b"busy")

    def interrupt(*_):
        raise KeyboardInterrupt

    let_answer(server, answer)
    monkeypatch.setattr(ahead, "_arrived", interrupt)
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        export(session, lost, ExportTarget(tmp_path / "out" / "llava.json"))
    assert time.monotonic() - before < 30
    ended.set()
    assert not (tmp_path / "out" / "llava.json").exists()
