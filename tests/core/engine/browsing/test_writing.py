"""What a browser may store: selections and pins, with the token and not without."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ig4.core.engine.browsing.access import TOKEN
from ig4.core.engine.browsing.library import Library
from ig4.core.engine.browsing.server import LONGEST_BODY, Site, make_app
from ig4.storage import pins, selections

from ....harbour import QUOTA

pytest.importorskip("starlette")
pytest.importorskip("httpx2")

PORT = 8420


@pytest.fixture
def client(docked):
    from starlette.testclient import TestClient

    app = make_app(Site(Library(docked, QUOTA), PORT, "the token"))
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers={TOKEN: "the token"})


def posted(client, path, value, status=200):
    answer = client.post(path, json=value)
    assert answer.status_code == status, answer.text
    return answer.json()


def ids_of(client, **query):
    answer = client.get("/api/samples", params={"limit": 200, **query}).json()
    return [card["id"] for card in answer["cards"]]


def stored_ids(docked, number):
    with docked.store.reading() as connection:
        return [one.external_id for one in selections.samples(connection, number)]


def count_selections(docked):
    with docked.store.reading() as connection:
        return len(selections.list_all(connection))


def test_what_a_filter_leaves_becomes_a_selection_of_that_name(client, docked):
    wanted = {"view": "rest"}
    made = posted(client, "/api/selections", {"name": "left", "filter": wanted})
    shown = ids_of(client, **wanted)
    assert made["size"] == len(shown) > 0
    assert stored_ids(docked, made["selection"]) == shown
    with docked.store.reading() as connection:
        row = selections.find(connection, made["selection"])
    assert (row.name, row.note) == ("left", "chosen in the browser: rest samples")


def test_the_note_says_only_the_ends_that_a_range_has(client, docked):
    wanted = {"view": "all", "range.gpt": ",50", "range.length": "5,"}
    made = posted(client, "/api/selections", {"name": "low", "filter": wanted})
    with docked.store.reading() as connection:
        note = selections.find(connection, made["selection"]).note
    assert note == "chosen in the browser: all samples, gpt to 50, length from 5"


def test_what_the_sliders_give_is_what_they_showed(client, docked):
    columns = client.get("/api/about").json()["columns"]
    name = next(one["name"] for one in columns if one["weight"])
    asked = {"size": "5", f"weight.{name}": "0.9"}
    shown = client.get("/api/whatif", params={**asked, "limit": 200}).json()
    before = stored_ids(docked, QUOTA)
    made = posted(client, "/api/selections", {"name": "heavier", "whatif": asked})
    now = stored_ids(docked, made["selection"])
    assert len(now) == shown["size"] == 5
    assert sorted(set(now) - set(before)) == sorted(one["id"] for one in shown["enteredCards"])
    assert sorted(set(before) - set(now)) == sorted(one["id"] for one in shown["leftCards"])


def test_the_same_once_more_says_which_name_it_loses(client):
    wanted = {"filter": {"view": "rest"}}
    first = posted(client, "/api/selections", {"name": "fA", **wanted})
    assert (first["name"], first["known"], first["replaced"]) == ("fA", False, None)
    again = posted(client, "/api/selections", {"name": "fA", **wanted})
    assert (again["known"], again["replaced"]) == (True, None)
    nameless = posted(client, "/api/selections", wanted)
    assert (nameless["name"], nameless["known"], nameless["replaced"]) == ("fA", True, None)
    other = posted(client, "/api/selections", {"name": "fB", **wanted})
    assert (other["name"], other["known"], other["replaced"]) == ("fB", True, "fA")
    assert {one["selection"] for one in (first, again, nameless, other)} == {first["selection"]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "last", "filter": {"view": "all"}}, "last"),
        ({"name": "none", "filter": {"view": "all", "q": "no such words anywhere"}}, "no sample"),
        ({"name": "x", "filter": {"view": "nothing"}}, "nothing"),
        ({"name": "x", "filter": 3}, "filter"),
        ({"name": 3, "filter": {"view": "all"}}, "name"),
        ({"name": "x", "whatif": {"size": "1000000"}}, "1,000,000"),
        ({"name": "x", "whatif": {"weight.nothing": "1"}}, "nothing"),
        ({"name": "x"}, "filter"),
    ],
)
def test_what_cannot_be_stored_is_said_and_stores_nothing(client, docked, value, said):
    before = count_selections(docked)
    assert said in posted(client, "/api/selections", value, 400)["error"]
    assert count_selections(docked) == before


def test_a_name_that_is_taken_is_refused(client):
    posted(client, "/api/selections", {"name": "mine", "filter": {"view": "rest"}})
    again = posted(client, "/api/selections", {"name": "mine", "filter": {"view": "selected"}}, 400)
    assert "'mine'" in again["error"]


def test_a_sample_is_pinned_with_a_note_vetoed_and_let_go(client, docked):
    def stored():
        with docked.store.reading() as connection:
            row = selections.list_all(connection)[0]
            return [(one.keep, one.note) for one in pins.list_all(connection, row.row.dataset_id)]

    posted(client, "/api/pins", {"row": 1, "pin": "keep", "note": "<b>fine</b>"})
    assert stored() == [(True, "<b>fine</b>")]
    assert client.get("/api/sample/1").json()["pin"] == {"pin": "keep", "note": "<b>fine</b>"}
    posted(client, "/api/pins", {"row": 1, "pin": "drop"})
    assert stored() == [(False, None)]
    posted(client, "/api/pins", {"row": 1, "pin": "none"})
    assert stored() == []


@pytest.mark.parametrize(
    "value",
    [
        {"row": 10**9, "pin": "keep"}, {"row": -1, "pin": "keep"}, {"row": "1", "pin": "keep"},
        {"row": True, "pin": "keep"}, {"row": 1, "pin": "love"}, {"row": 1},
        {"row": 1, "pin": "keep", "note": "x" * 2_001}, {"row": 1, "pin": "keep", "note": 3},
    ],
)  # fmt: skip
def test_a_pin_that_is_none_is_refused(client, value):
    assert posted(client, "/api/pins", value, 400)["error"]


@pytest.mark.parametrize("headers", [{TOKEN: ""}, {TOKEN: "another"}, {TOKEN: "the tokens"}])
@pytest.mark.parametrize("path", ["/api/selections", "/api/pins"])
def test_nothing_is_stored_without_the_token(client, docked, headers, path):
    before = count_selections(docked)
    value = {"name": "x", "filter": {"view": "all"}, "row": 1, "pin": "keep"}
    assert client.post(path, json=value, headers=headers).status_code == 403
    assert count_selections(docked) == before


def test_another_site_stores_nothing_even_with_the_token(client):
    value = {"row": 1, "pin": "keep"}
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"},
                    {"sec-fetch-site": "cross-site"}):  # fmt: skip
        assert client.post("/api/pins", json=value, headers=headers).status_code in (403, 421)


def test_what_is_sent_must_be_a_json_object_of_bounded_size(client):
    for body in (b"", b"{", b"[1]", b"\xff", b"[" * 100_000):
        assert client.post("/api/pins", content=body).status_code == 400
    assert client.post("/api/pins", content=b"x" * (LONGEST_BODY + 1)).status_code == 413


def test_a_stored_selection_can_be_looked_at_at_once(client):
    made = posted(client, "/api/selections", {"name": "here", "filter": {"view": "rest"}})
    told = client.get("/api/about", params={"selection": "here"}).json()
    assert told["about"]["selection"] == made["selection"]
    assert np.isin(made["selection"], [one["id"] for one in told["selections"]])


@pytest.mark.parametrize("where", ["note", "selection", "pin"])
def test_half_a_character_is_refused_and_nothing_is_stored(client, docked, where):
    body = json.dumps({"row": 0, "pin": "keep", where: "\ud800"})
    answer = client.post("/api/pins", content=body)
    assert (answer.status_code, "half a character" in answer.json()["error"]) == (400, True)
    with docked.store.reading() as connection:
        assert pins.list_all(connection, docked.dataset("harbour").id) == []
