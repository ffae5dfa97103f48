"""Addresses of records that differ in their credentials alone, and whose credentials are used."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.files.remote import fetching, web
from ig4.core.files.remote.credentials import cleaned

from ....file_server import serving
from ...conftest import picture, record

COLOURS = ("red", "green", "blue")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    fetching._unreached.clear()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "served"
    for colour in COLOURS:
        picture(folder / f"{colour}.png", colour)
    return folder


@pytest.fixture
def server(home):
    """Serves files also by their name in the query of /get, whatever it is called there."""
    with serving(home) as running:

        def by_query(handler):
            (name,) = next(iter(parse_qs(urlsplit(handler.path).query).values()))
            handler.simple(200, (home / f"{name}.png").read_bytes(), Content_Type="image/png")

        running.answers["/get"] = by_query
        yield running


def passwords(server):
    """Return what each request said in its Authorization, decoded."""
    found = [headers.get("Authorization", "") for _, _, headers in server.requests]
    return [base64.b64decode(one.removeprefix("Basic ")).decode() for one in found]


def images_of(session, name):
    sql = (
        "SELECT f.name, i.sha256 FROM image_files f LEFT JOIN images i ON i.id = f.image_id "
        f"JOIN datasets d ON d.id = f.dataset_id WHERE d.name = '{name}'"
    )
    with session.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


@pytest.mark.parametrize("parameter", ["key", "code", "policy", "token", "sig"])
def test_each_address_is_an_image_of_its_own(session, home, server, parameter):
    names = [f"{server.url}/get?{parameter}={colour}" for colour in COLOURS]
    path = home.parent / "web.json"
    path.write_text(json.dumps([record(str(n), "x", name) for n, name in enumerate(names)]))
    ingest(session, DatasetSource(path, name="far", fetch_images="any"))
    found = images_of(session, "far")
    assert len({sha256 for _, sha256 in found} - {None}) == len(COLOURS)
    stored = {name for name, _ in found}
    assert (stored == set(names)) == (parameter in ("key", "code", "policy"))


def test_a_record_cannot_replace_the_password_of_the_user(session, home, server):
    host = server.url.removeprefix("http://")
    records = [record("0", "x", "red.png"), record("1", "x", f"http://evil:evil99@{host}/"),
               record("2", "x", "blue.png")]  # fmt: skip
    (home.parent / "near.json").write_text(json.dumps(records))
    root = cleaned(f"http://me:mypw99@{host}/")
    ingest(
        session,
        DatasetSource(home.parent / "near.json", image_root=root, fetch_images="any"),
    )
    assert passwords(server).count("me:mypw99") == 2


def test_no_problem_of_an_image_has_a_password(session, home):
    names = ["ftp://u:geheim77@h/x.jpg", "http://u:geheim99@[::1/x"]
    path = home / "web.json"
    path.write_text(json.dumps([record(str(n), "x", name) for n, name in enumerate(names)]))
    ingest(session, DatasetSource(path, name="far", fetch_images="any"))
    with session.store.reading() as connection:
        rows = connection.execute(text("SELECT name, path, problem FROM image_files")).all()
    assert len(rows) == 2
    assert "geheim" not in repr(rows)
