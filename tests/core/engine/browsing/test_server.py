"""The server behind a browser: what it answers, to whom, and that it writes nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import sqlite3

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from ig4.core.engine.browsing.library import Library
from ig4.core.engine.browsing.server import LONGEST_CELL, LONGEST_RESULT, Site, make_app
from ig4.core.engine.reporting.map import selection_map
from ig4.core.engine.scoring.columns import drop_column

from ....harbour import NO_GPT, QUOTA, RANDOM, TEXT_ONLY, TOPK, N

pytest.importorskip("starlette")
pytest.importorskip("httpx2")

PORT = 8420


def client_of(session, number=QUOTA):
    from starlette.testclient import TestClient

    app = make_app(Site(Library(session, number), PORT, "the token"))
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=True)


@pytest.fixture(scope="module")
def client(moored):
    return client_of(moored)


def got(client, path, **query):
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ints(packed, kind="<i4"):
    return np.frombuffer(base64.b64decode(packed), dtype=kind)


def test_the_page_and_its_files_are_served_with_the_policy(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "/web/browse.js" in page.text
    assert client.get("/web/browse.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/web/style.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("name", ["__init__.py", "..%2Fpyproject.toml", "%2e%2e", "nothing.js", "",
                                  "__pycache__", "package.json"])  # fmt: skip
def test_no_other_file_is_served(client, name):
    answer = client.get(f"/web/{name}")
    assert answer.status_code == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_about_says_what_stays(client):
    told = got(client, "/api/about")
    assert told["about"]["size"] == 12
    assert told["about"]["samples"] == N
    assert told["about"]["competing"] == 63
    assert [one["id"] for one in told["selections"]] == [4, 3, 2, 1]
    assert {one["name"]: one["canCount"] for one in told["columns"]} == {
        "gpt": True, "look": True, "length": True,
    }  # fmt: skip
    assert [one["label"] for one in told["clusters"]] == [3, 5, 9]
    assert told["map"] == {"space": "text", "method": "pca"}


def test_samples_come_in_pages_with_a_total(client, opened):
    first = got(client, "/api/samples", view="all", limit=7)
    assert first["total"] == N
    assert [one["row"] for one in first["cards"]] == list(range(7))
    last = got(client, "/api/samples", view="all", offset=N - 3)
    assert [one["row"] for one in last["cards"]] == [N - 3, N - 2, N - 1]
    chosen = got(client, "/api/samples")
    assert [one["rank"] for one in chosen["cards"]] == list(range(1, 13))
    beyond = got(client, "/api/samples", view="all", offset=10**9)
    assert beyond["cards"] == []
    assert len(got(client, "/api/samples", view="all", limit=10**9)["cards"]) == N


def test_another_selection_is_looked_at_by_its_number(client):
    assert got(client, "/api/about", selection=TOPK)["about"]["size"] == 10
    answer = client.get("/api/about", params={"selection": "99"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("there is no selection 99")


def test_a_sample_is_told_whole(client, opened):
    view = opened(QUOTA).view
    row = int(view.selected[3])
    told = got(client, f"/api/sample/{row}")
    assert told["id"] == f"harbour-{row:03d}"
    members = [n for n in range(N) if view.peers[n] == view.peers[row]]
    above = sum(view.final[n] > view.final[row] for n in members)
    assert told["place"] == above + 1
    assert told["members"] == len(members)
    assert told["line"] == min(view.final[n] for n in members if view.rank[n])
    assert row in [one["row"] for one in told["around"]]
    assert len(told["neighbours"]) == 8
    nearness = [one["similarity"] for one in told["neighbours"]]
    assert nearness == sorted(nearness, reverse=True)


def test_the_nearest_neighbour_of_a_sample_is_the_one_that_says_the_same(client):
    told = got(client, "/api/sample/60")
    assert told["neighbours"][0]["row"] == 65
    assert told["neighbours"][0]["similarity"] == 1


def test_a_sample_that_never_competed_has_no_place(client):
    told = got(client, f"/api/sample/{TEXT_ONLY[0]}")
    assert told["place"] is None
    assert got(client, f"/api/sample/{NO_GPT[1]}")["final"] is None
    assert client.get("/api/sample/80").status_code == 400
    assert client.get("/api/sample/99999999999999999999999").status_code == 400
    assert client.get("/api/sample/-1").status_code == 404
    assert client.get("/api/sample/x").status_code == 404


def test_the_map_has_the_points_of_the_filter_in_the_box(client, opened, moored):
    view = opened(QUOTA).view
    told = got(client, "/api/map", view="all")
    assert told["kind"] == "points"
    assert ints(told["rows"]).tolist() == list(range(N))
    assert ints(told["selected"], "u1").tolist() == (view.rank > 0).astype(int).tolist()
    x = ints(told["x"], "<f4")
    places = selection_map(moored, view).coordinates[:, 0]
    np.testing.assert_allclose(x, (places - places.min()) / np.ptp(places), atol=1e-6)
    half = got(client, "/api/map", view="all", box="0,0,0.5,1")
    assert ints(half["rows"]).tolist() == np.flatnonzero(x <= 0.5).tolist()
    chosen = got(client, "/api/map", view="selected")
    assert ints(chosen["rows"]).tolist() == sorted(view.selected.tolist())


def test_what_if_answers_with_what_enters_and_leaves(client, opened):
    told = got(client, "/api/whatif", **{"weight.look": "2", "weight.gpt": "0", "size": 15})
    assert told["size"] == 15
    assert len(told["enteredCards"]) == told["entered"]
    assert all(one["rank"] == 0 for one in told["enteredCards"])
    assert all(one["rank"] > 0 for one in told["leftCards"])
    assert sum(then for _, _, then in told["groups"]) == 15
    assert got(client, "/api/whatif", selection=RANDOM)["entered"] == 0


def test_what_if_says_what_each_sample_would_be(client, opened):
    told = got(client, "/api/whatif", size=15, selection=TOPK)
    view = opened(TOPK).view
    assert [one["then"]["rank"] for one in told["enteredCards"]] == list(range(11, 16))
    assert told["line"] == told["enteredCards"][-1]["then"]["final"] < view.line
    assert all(one["then"]["line"] == told["line"] for one in told["enteredCards"])
    told = got(client, "/api/whatif", **{"weight.look": "2", "weight.gpt": "0"})
    assert told["line"] is None  # each cluster has its own
    gone = told["leftCards"]
    assert len(gone) > 0
    look = next(column for column in opened(QUOTA).view.columns if column.name == "look")
    for one in gone:
        assert one["then"]["rank"] == 0
        assert one["then"]["final"] == pytest.approx(2 * look.percent[one["row"]], rel=1e-5)
        assert one["then"]["final"] <= one["then"]["line"]


class BrokenLibrary(Library):
    """A library in which something goes wrong that nobody foresaw."""

    def get(self, which=""):
        raise RuntimeError("the secret of /home/somebody")


def test_an_error_that_nobody_foresaw_is_json_and_stays_on_this_machine(
    moored, caplog, monkeypatch
):
    from starlette.testclient import TestClient

    monkeypatch.setattr(logging.getLogger("ig4"), "propagate", True)
    site = Site(BrokenLibrary(moored, QUOTA), PORT, "the token")
    client = TestClient(
        make_app(site), base_url=f"http://127.0.0.1:{PORT}", headers={"x-ig4-token": "the token"}
    )
    for answer in (
        client.get("/api/about"),
        client.post("/api/selections", json={"name": "x", "filter": {}}),
    ):
        assert answer.status_code == 500
        assert set(answer.json()) == {"error"}
        assert "terminal" in answer.json()["error"]
        assert "secret" not in answer.text
    told = {id(one): str(one.exc_info[1]) for one in caplog.records if one.exc_info}
    assert list(told.values()) == ["the secret of /home/somebody"] * 2
    assert "Traceback" in caplog.text


def test_an_address_that_there_is_not_is_told_in_json(client):
    answer = client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.json() == {"error": "not found"}


def test_queries_read(client):
    told = got(client, "/api/query", sql="SELECT count(*) AS n, NULL AS none FROM samples")
    assert told == {"columns": ["n", "none"], "rows": [[N, None]], "more": False, "cut": 0}
    many = "SELECT 1 FROM samples AS one, samples AS other"
    told = got(client, "/api/query", sql=many)
    assert told["more"]
    assert len(told["rows"]) == 1000
    odd = got(client, "/api/query", sql="SELECT x'00ff', 1e999, '<b>' || char(0)")
    assert odd["rows"] == [["<2 bytes>", "inf", "<b>\x00"]]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM samples",
        "DROP TABLE samples",
        "INSERT INTO runs DEFAULT VALUES",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "PRAGMA writable_schema = 1",
        "VACUUM INTO '/tmp/x'",
        "SELECT 1; DELETE FROM samples",
        "CREATE TABLE t (x)",
        "SELECT load_extension('x')",
        "SELECT * FROM nowhere",
        "UPDATE samples SET answer = ''",
        "WITH x AS (SELECT 1) DELETE FROM samples",
    ],
)
def test_queries_that_write_or_make_no_sense_are_refused(client, moored, sql):
    answer = client.get("/api/query", params={"sql": sql})
    assert answer.status_code == 400
    assert answer.json()["error"]
    with moored.store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM samples")).scalar() == N


@pytest.mark.parametrize("path", [
    "/api/samples?view=most", "/api/samples?offset=-1", "/api/samples?limit=x", "/api/map?box=1,2",
    "/api/map?box=1,1,0,0", "/api/map?box=nan,0,1,1", "/api/samples?range.gtp=0,1",
    "/api/samples?sort=by:gtp", "/api/whatif?weight.gpt=x", "/api/whatif?weight.gpt=nan",
    "/api/whatif?weight.gpt=1e999", "/api/whatif?size=9999", "/api/whatif?scale=none",
    "/api/about?selection=nowhere", "/thumb/0/0?side=10000",
])  # fmt: skip
def test_what_cannot_be_answered_is_a_message(client, path):
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert "Traceback" not in answer.text


def test_pictures_are_webp_of_two_sizes(client):
    small = client.get("/thumb/8/1")
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (32, 64)
    assert client.get("/thumb/8/0", params={"side": 448}).status_code == 200
    assert client.get("/thumb/2/0").status_code == 404  # text only
    assert client.get("/thumb/10/0").status_code == 404  # its file is missing
    assert client.get("/thumb/8/9").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example:8420"}, 421),
        ({"host": "127.0.0.1:9999"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/api/about", "/api/query?sql=SELECT+1", "/thumb/0/0", "/"])
def test_other_sites_get_nothing(client, headers, status, path):
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_without_the_token_nothing_is_written(client, moored, method):
    before = _digest(moored)
    for path in ("/api/selections", "/api/pins", "/api/about", "/", "/api/query"):
        answer = client.request(method, path, headers={"x-ig4-token": "another"})
        assert answer.status_code == 403
    assert _digest(moored) == before


def test_reading_changes_nothing_in_the_database(harbour, docked):
    client = client_of(docked)
    before = _digest(docked)
    for path in ("/api/about", "/api/samples", "/api/histograms", "/api/sample/3", "/api/whatif",
                 "/thumb/3/0", "/api/query?sql=SELECT+1"):  # fmt: skip
        assert client.get(path).status_code == 200
    assert _digest(docked) == before


def _digest(session):
    """All rows of all tables but those of the map, which is made when it is first asked for."""
    connection = sqlite3.connect(session.store.engine.url.database)
    try:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in ("components", "dataset_spaces", "embeddings", "input_embeddings")
        ]
        rows = [sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in names]
    finally:
        connection.close()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def test_a_selection_that_cannot_be_made_again_is_still_shown(docked):
    drop_column(docked, docked.dataset("harbour"), "look")
    client = client_of(docked)
    told = got(client, "/api/about")
    assert told["about"]["canSelect"] is False
    assert "look" in told["about"]["whyNot"]
    assert got(client, "/api/samples")["total"] == 12
    assert client.get("/api/whatif").status_code == 400
    assert got(client, "/api/histograms")


def test_what_changed_is_seen_when_it_is_read_anew(docked):
    client = client_of(docked, TOPK)
    assert got(client, "/api/about")["columns"]
    drop_column(docked, docked.dataset("harbour"), "look")
    assert any(one["name"] == "look" for one in got(client, "/api/about")["columns"])
    assert all(one["name"] != "look" for one in got(client, "/api/about", fresh=1)["columns"])


def test_a_value_of_a_query_is_sent_in_part_and_the_whole_has_a_bound(client):
    told = got(client, "/api/query", sql="SELECT hex(zeroblob(40000)), 'short', 7")
    assert (len(told["rows"][0][0]), told["cut"]) == (LONGEST_CELL, 1)
    assert told["rows"][0][1:] == ["short", 7]
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) "
        "SELECT i, hex(zeroblob(40000)) FROM n"
    )
    told = got(client, "/api/query", sql=sql)
    assert told["more"]
    assert len(told["rows"]) == LONGEST_RESULT // LONGEST_CELL + 1
