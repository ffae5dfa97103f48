"""A hostile data set runs nothing and breaks nothing; other sites get nothing and write nothing."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from contextlib import closing

import pytest

from .conftest import address
from .hostile import NAME, SCORES, TEXTS

pytestmark = pytest.mark.slow


def calm(page):
    """Nothing of the data ran, and nothing that it could have made is in the document."""
    assert page.evaluate("() => window.pwned") is None
    assert page.evaluate("() => Object.prototype.pwned") is None
    assert (
        page.locator("main img[onerror], main svg[onload], main iframe, main script").count() == 0
    )
    assert page.locator("a[href^='javascript:'], a[href^='data:']").count() == 0


def test_the_report_shows_it_as_text(visit, hostile_report):
    page = visit(hostile_report).page
    assert NAME in page.locator("h1").inner_text()
    page.locator("#scores .chart svg").first.wait_for()
    for part in page.locator("main > section").all():
        part.scroll_into_view_if_needed()
        page.wait_for_timeout(50)
    page.select_option("#choice-view", "all")
    page.select_option("#choice-sort", f"by:{SCORES[0]}")
    page.locator("#samples .card").first.click()
    dialog = page.locator("dialog[open]")
    for _ in range(48):
        dialog.get_by_role("button", name="Next").click()
    said = dialog.inner_text()
    assert all(name in said for name in SCORES)
    calm(page)


def test_scores_with_dots_and_brackets_are_drawn(visit, hostile_report):
    page = visit(hostile_report).page
    for place in range(2):
        chart = page.locator("#scores .charts .chart").nth(place)
        chart.scroll_into_view_if_needed()
        chart.locator("svg path, svg rect").first.wait_for(state="attached")
        heights = chart.locator(".mark-rect path, .mark-bar path").evaluate_all(
            "(marks) => marks.map((one) => one.getBBox().height)"
        )
        assert max(heights, default=0) > 10


def test_the_search_finds_such_texts(visit, hostile_report):
    page = visit(hostile_report).page
    page.select_option("#choice-view", "all")
    page.fill("#search", "<script>window.pwned=1</script>")
    assert page.locator("#samples > .told").inner_text().startswith("5 samples.")
    assert "%3Cscript%3E" in address(page)
    calm(visit(address(page)).page)


def test_the_browser_shows_it_as_text(visit, hostile_site):
    page = visit(hostile_site + "/?view=all").page
    assert NAME in page.locator("h1").inner_text()
    page.locator("#samples .card .card-id").first.wait_for()
    page.locator("#samples .card").first.click()
    dialog = page.locator("dialog[open]")
    for step in range(len(TEXTS)):
        dialog.locator(".position", has_text=f"{step + 1} of 48").wait_for()
        dialog.get_by_role("button", name="Next").click()
    page.keyboard.press("Escape")
    for tab in ("Map", "What if", "SQL"):
        page.get_by_role("button", name=tab, exact=True).click()
    page.fill("#sql", "SELECT external_id, answer FROM samples")
    page.keyboard.press("Control+Enter")
    page.locator("#sql-part table").wait_for()
    calm(page)


def test_an_address_made_by_somebody_else_runs_nothing(visit, hostile_site):
    evil = "?q=<img src=x onerror=pwned=1>&view=all&tab=<b>&sort=by:__proto__&open=1e9"
    page = visit(f"{hostile_site}/{evil}&range.__proto__=0,1", quiet=False).page
    calm(page)


def test_pictures_that_are_none_are_not_served(hostile_site, chromium):
    context = chromium.new_context()
    page = context.new_page()
    kinds = set()
    for row in range(0, 48, 3):
        answer = page.request.get(f"{hostile_site}/thumb/{row}/0")
        kinds.add(answer.headers["content-type"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "svg" not in answer.headers["content-type"]
    context.close()
    assert kinds == {"image/webp", "application/json"}


ATTACK = """<!doctype html><title>evil</title><body><script>
const place = "%s";
const told = [];
const tell = (what) => { told.push(what); };
const read = (path, options) => fetch(place + path, options)
  .then((answer) => answer.text())
  .then((text) => tell(`read ${path}: ${text.slice(0, 80)}`), () => {});
const write = {method: "POST", mode: "no-cors", credentials: "include", body: "{}"};
const image = new Image();
image.onload = () => tell("saw a picture");
image.src = place + "/thumb/0/0";
const frame = document.createElement("iframe");
frame.src = place + "/";
frame.name = "inside";
const script = document.createElement("script");
script.src = place + "/web/browse.js";
script.type = "module";
script.onload = () => tell("ran a script");
document.body.append(frame, script);
const form = document.createElement("form");
form.method = "post"; form.action = place + "/api/selections"; form.target = "inside";
document.body.append(form);
const headers = {"x-ig4-token": "guess", "content-type": "application/json"};
Promise.all([
  read("/api/about"), read("/api/query?sql=SELECT+1"), read("/", {}),
  read("/api/selections", write), read("/api/about", {mode: "no-cors"}),
  read("/api/pins", {method: "POST", headers}),
]).then(() => { form.submit(); setTimeout(() => {
  try { if (frame.contentDocument.body.innerText) tell("read the frame"); } catch { /* good */ }
  document.title = "done"; document.body.dataset.told = JSON.stringify(told);
}, 700); });
</script></body>"""


@pytest.fixture
def elsewhere(site):
    """The address of a page on another port that attacks the server."""

    class Attack(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write((ATTACK % site).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Attack) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.localhost"])
def test_a_page_of_another_site_gets_nothing_and_writes_nothing(visit, elsewhere, host, site):
    answered = []
    made = visit(f"http://{host}:{elsewhere}/", quiet=False, ready=False)
    made.page.on("response", lambda one: answered.append(one))
    made.page.reload()
    made.page.wait_for_selector("body[data-told]", state="attached")
    told = made.page.locator("body").get_attribute("data-told")
    assert [one for one in json.loads(told) if not one.endswith(": ")] == []
    statuses = {one.status for one in answered if one.url.startswith(site)}
    assert statuses <= {403, 421}
    assert 403 in statuses


def test_a_name_that_was_pointed_at_this_machine_gets_nothing(chromium, site):
    """DNS rebinding: a name of somebody else's that leads to the loopback address."""
    context = chromium.new_context()
    page = context.new_page()
    port = site.rpartition(":")[2]
    answer = page.goto(
        f"http://rebound.localhost:{port}/"
    )  # Chromium takes *.localhost as 127.0.0.1
    assert answer.status == 421
    for path in ("/api/about", "/web/browse.js", "/api/query?sql=SELECT+1"):
        text = page.evaluate("(path) => fetch(path).then((one) => one.status)", path)
        assert text == 421
    context.close()


def test_after_all_that_the_database_is_as_it_was(harbour_made, site, visit):
    visit(f"{site}/?open=1")
    with closing(sqlite3.connect(harbour_made / "ig4.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM selections").fetchone()
    assert count == 4
