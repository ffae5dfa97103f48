"""The page of a selection in a real browser: filters, keyboard, map, charts, paper and phones."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest

from ..harbour import NO_GPT, TEXT_ONLY, N, gpt_score
from .conftest import _copied, address, write_page

pytestmark = pytest.mark.slow

LEFT_OUT = len({*NO_GPT, *TEXT_ONLY})


@pytest.fixture(scope="package")
def values(plain):
    """What the page says, as its own script unpacks it."""
    text = Path(unquote(urlparse(plain).path)).read_text(encoding="utf-8")
    (packed,) = re.findall(r'id="ig4-data">([^<]*)<', text)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def shown(page):
    """The ids of the cards of the gallery that are in the document, in order.

    Charts above it are drawn when the browser has nothing else to do, and move it once more.
    """
    page.locator("#samples").evaluate("(node) => node.scrollIntoView()")
    page.locator("#samples .card").first.wait_for()
    seen = []
    for _ in range(20):
        page.locator("#samples").evaluate("(node) => node.scrollIntoView()")
        # Cards are drawn when the browser tells of the scrolling, a frame later.
        page.locator("#samples").evaluate(FRAMES)
        seen.append(page.locator("#samples .grid .card-id").all_inner_texts())
        if seen[-3:] == [seen[-1]] * 3:
            break
    return seen[-1]


def first_card(page):
    shown(page)
    return page.locator("#samples .card").first


def told(page):
    return page.locator("#samples > .told").inner_text()


def focused(page):
    return page.locator(":focus")


def test_it_opens_with_its_headline_and_all_parts(visit, report):
    page = visit(report).page
    assert page.title() == "selection 1 of harbour"
    assert page.locator("h1").inner_text() == f"12 of {N} samples of harbour"
    parts = page.locator("nav a").all_inner_texts()
    assert parts == ["Kept", "Last in, first out", "Near-duplicates", "Left out, and why", "Kinds",
                     "Scores", "Best and worst", "Clusters", "Map", "How it was made",
                     "Samples"]  # fmt: skip
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).count() == 1


def test_filters_show_what_they_say(visit, plain, values):
    page = visit(plain).page
    assert told(page).startswith("12 samples.")
    assert shown(page) == [values["samples"]["id"][n] for n in _by_rank(values)]
    page.select_option("#choice-view", "rest")
    assert told(page).startswith(f"{N - 12} samples.")
    page.select_option("#choice-view", "all")
    page.select_option("#choice-cluster", "9")
    assert told(page).startswith("15 samples.")
    page.select_option("#choice-fate", label="no look score (14)")
    own = [
        n
        for n in range(65, N)
        if values["fates"][values["samples"]["fate"][n]]["name"] == "no look score"
    ]
    assert told(page).startswith(f"{len(own)} samples.")
    page.fill("#search", "nothing says this")
    assert told(page) == "No sample is like this: clear a filter."
    page.get_by_role("button", name="Clear").click()
    assert told(page).startswith("12 samples.")


def _by_rank(values):
    rank = values["samples"]["rank"]
    return sorted((n for n in range(N) if rank[n]), key=lambda n: rank[n])


def test_sorting_by_an_indicator_puts_samples_without_it_last(visit, plain):
    page = visit(plain).page
    page.select_option("#choice-view", "all")
    page.select_option("#choice-sort", "by:gpt")
    page.check("#down")
    known = sorted((n for n in range(N) if n not in NO_GPT), key=lambda n: (-gpt_score(n), n))
    first = shown(page)
    assert first == [f"harbour-{n:03d}" for n in known][: len(first)]
    page.locator("#samples .card").first.focus()
    page.keyboard.press("End")
    assert focused(page).locator(".card-id").inner_text() == f"harbour-{NO_GPT[-1]:03d}"


def test_a_search_wants_all_words(visit, plain):
    page = visit(plain).page
    page.select_option("#choice-view", "all")
    page.fill("#search", "FERRYBOAT anchorword6")
    ids = shown(page)
    assert "harbour-061" in ids
    assert all(one.startswith("harbour-06") for one in ids)


def test_what_one_looks_at_is_in_the_address(visit, plain):
    page = visit(plain).page
    page.select_option("#choice-view", "rest")
    page.select_option("#choice-sort", "by:gpt")
    page.check("#down")
    page.fill("#search", "ferryboat")
    link, ids = address(page), shown(page)
    assert "view=rest" in link
    again = visit(link).page
    assert shown(again) == ids
    assert again.locator("#choice-sort").input_value() == "by:gpt"
    assert again.locator("#search").input_value() == "ferryboat"


def test_everything_but_the_map_with_the_keyboard_alone(visit, plain):
    page = visit(plain).page
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "To the content"
    page.keyboard.press("Tab")
    assert focused(page).inner_text().startswith("Theme")
    page.keyboard.press("Enter")
    assert focused(page).inner_text() == "Theme: light"
    page.keyboard.press("/")
    assert focused(page).get_attribute("id") == "search"
    page.keyboard.type("anchorword")
    assert told(page).startswith("12 samples.")
    page.keyboard.press("ArrowDown")
    first = focused(page).locator(".card-id").inner_text()
    page.keyboard.press("ArrowRight")
    second = focused(page).locator(".card-id").inner_text()
    assert [first, second] == shown(page)[:2]
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    assert dialog.locator("h2").inner_text() == second
    assert dialog.locator(".position").inner_text() == "2 of 12 samples"
    page.keyboard.press("ArrowRight")
    assert dialog.locator(".position").inner_text() == "3 of 12 samples"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("h2").inner_text() == first
    page.keyboard.press("ArrowLeft")  # there is none before
    assert dialog.locator(".position").inner_text() == "1 of 12 samples"
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert focused(page).locator(".card-id").inner_text() == second
    page.keyboard.press("Home")
    assert focused(page).locator(".card-id").inner_text() == first


def test_tab_reaches_every_control_once(visit, plain):
    page = visit(plain).page
    seen = []
    for _ in range(400):
        page.keyboard.press("Tab")
        where = focused(page)
        if where.count() == 0:
            break
        seen.append(
            where.evaluate("(node) => `${node.tagName} ${node.id} ${node.innerText?.slice(0, 20)}`")
        )
        if len(seen) > 1 and seen[-1] == seen[0]:
            break
    text = "\n".join(seen)
    for control in (
        "search",
        "choice-view",
        "choice-cluster",
        "choice-fate",
        "choice-sort",
        "down",
    ):
        assert f" {control} " in text
    assert "SUMMARY" in text
    cards = [one for one in seen if one.startswith("BUTTON") and "rank" in one]
    assert len(cards) < N  # the gallery is one stop, and the cards of the edge are their own
    hidden = page.locator("button:visible:not(.card), select:visible, summary:visible, nav a")
    assert len(seen) >= hidden.count()


def test_a_click_on_the_map_opens_the_sample_that_lies_there(visit, plain, values):
    page = visit(plain).page
    packed = values["map"]
    x, y = (
        np.frombuffer(base64.b64decode(packed[name]), dtype="<u2") / 65_535 for name in ("x", "y")
    )
    canvas = page.locator("#map canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    size = min(box["width"], box["height"]) - 24
    stretch = min(2, max(1, box["width"] / box["height"]))
    px = box["width"] / 2 + (x - 0.5) * size * stretch
    py = box["height"] / 2 + (0.5 - y) * size
    apart = np.hypot(px[:, None] - px, py[:, None] - py)
    np.fill_diagonal(apart, np.inf)
    alone = int(apart.min(axis=1).argmax())
    canvas.hover(position={"x": px[alone], "y": py[alone]})
    assert page.locator(".tip strong").inner_text() == f"harbour-{alone:03d}"
    canvas.click(position={"x": px[alone], "y": py[alone]})
    assert page.locator("dialog[open] h2").inner_text() == f"harbour-{alone:03d}"


def test_the_map_zooms_and_drags_and_comes_back(visit, plain):
    page = visit(plain).page
    canvas = page.locator("#map canvas")
    canvas.scroll_into_view_if_needed()
    whole = canvas.screenshot()
    page.get_by_role("button", name="Zoom in").click()
    near = canvas.screenshot()
    assert near != whole
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 320, box["y"] + 260, steps=4)
    page.mouse.up()
    assert page.locator("dialog[open]").count() == 0  # a drag is no click
    assert canvas.screenshot() != near
    page.get_by_role("button", name="Whole map").click()
    page.mouse.move(5, 5)
    assert canvas.screenshot() == whole


def test_a_sample_is_shown_whole_with_how_its_scores_add_up(visit, plain, values):
    page = visit(plain).page
    first_card(page).click()
    row = _by_rank(values)[0]
    dialog = page.locator("dialog[open]")
    assert f"anchorword{row}" in dialog.locator(".turn.assistant").first.inner_text()
    assert "Selected, rank 1." in dialog.locator(".why").inner_text()
    final = values["samples"]["final"][row]
    label = dialog.locator("svg.waterfall").get_attribute("aria-label")
    assert label.startswith("gpt ")
    assert f"together {final:.4g}" in label
    assert dialog.locator("img").first.evaluate("(image) => image.naturalWidth") > 0


def test_a_missed_sample_says_by_how_much(visit, plain):
    page = visit(plain).page
    missed = page.locator("#edge .pair .card:last-child").first
    assert "below the line" in missed.inner_text()
    missed.click()
    assert re.search(
        r"Not taken: [\d.]+ below the line\.", page.locator("dialog .why").inner_text()
    )
    page.keyboard.press("ArrowLeft")
    assert "Selected, rank" in page.locator("dialog .why").inner_text()


def test_of_an_equal_sample_no_distance_is_told(visit, harbour_made, tmp_path, monkeypatch):
    from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.selecting.select import select
    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host
    from ig4.core.records import Choice
    from ig4.storage.store import Store

    monkeypatch.setitem(sys.modules, "altair", None)
    folder = _copied(harbour_made, tmp_path)
    rows = [{"id": f"harbour-{n:03d}", "flat": 1 / 3 if n < 9 else 0.1} for n in range(N)]
    (tmp_path / "flat.json").write_text(json.dumps(rows), encoding="utf-8")
    with Store.open(folder / "ig4.db") as store:
        session = Session(store, Host.discover(), [])
        dataset = session.dataset("harbour")
        import_scores(session, dataset, ScoreColumn(tmp_path / "flat.json", "flat", "flat"))
        request = SelectionRequest(size=5, scorers=("flat",), selector=Choice("selector", "topk"))
        number = select(session, dataset, request).id
    page = visit(write_page(folder, "harbour", number, tmp_path / "page.html")).page
    missed = page.locator("#edge .pair .card").last
    assert "the order of the data set decided" in missed.inner_text()
    missed.click()
    why = page.locator("dialog .why").inner_text()
    assert why == "Not taken: F(x) is that of the last one taken, to six digits."


def test_keys_with_modifiers_are_those_of_the_browser(visit, plain):
    page = visit(plain).page
    first_card(page).focus()
    first = focused(page).locator(".card-id").inner_text()
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+End")
    assert focused(page).locator(".card-id").inner_text() == first
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    page.keyboard.press("Control+j")
    page.keyboard.press("Alt+k")
    page.keyboard.press("Meta+ArrowRight")
    assert dialog.locator("h2").inner_text() == first
    page.keyboard.press("j")
    assert dialog.locator(".position").inner_text() == "2 of 12 samples"


def test_arrows_scroll_a_table_that_is_wider_than_its_place(visit, plain):
    page = visit(plain, width=320, height=700).page
    first_card(page).click()
    table = page.locator("dialog .scores .scroll")
    assert table.evaluate("(one) => one.scrollWidth > one.clientWidth")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert page.locator("dialog .position").inner_text() == "1 of 12 samples"
    assert table.evaluate("(one) => one.scrollLeft") > 0


def test_clusters_lead_to_their_samples(visit, plain):
    page = visit(plain).page
    page.locator("#clusters").get_by_role("button", name="5", exact=True).click()
    assert told(page).startswith("25 samples.")
    assert page.locator("#choice-cluster").input_value() == "5"
    page.locator("#clusters .thumb").first.click()
    assert page.locator("dialog[open] .fact").filter(has_text="cluster 3").count() == 1


def test_charts_are_drawn_in_the_colours_of_the_theme(visit, report):
    page = visit(report).page
    chart = page.locator("#scores .chart svg").first
    chart.scroll_into_view_if_needed()
    ink = "(node) => getComputedStyle(node).fill"
    label = page.locator("#scores .chart svg .mark-text text").first
    light = label.evaluate(ink)
    paper = "(node) => getComputedStyle(node).backgroundColor"
    assert page.locator("body").evaluate(paper) == "rgb(255, 255, 255)"
    theme = page.get_by_role("button", name=re.compile("Theme"))
    theme.click()
    theme.click()
    assert theme.inner_text() == "Theme: dark"
    page.wait_for_timeout(300)
    assert page.locator("body").evaluate(paper) != "rgb(255, 255, 255)"
    assert page.locator("#scores .chart svg .mark-text text").first.evaluate(ink) != light


def test_what_is_dark_on_the_screen_is_dark_on_light_on_paper(visit, report):
    page = visit(report, scheme="dark").page
    colours = "(node) => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]"
    assert page.locator("body").evaluate(colours) == ["rgb(20, 23, 26)", "rgb(232, 234, 237)"]
    page.locator("#scores .chart svg text").first.wait_for(state="attached")
    page.emulate_media(media="print")
    assert page.locator("body").evaluate(colours) == ["rgb(255, 255, 255)", "rgb(22, 25, 29)"]
    ink = "(node) => getComputedStyle(node).fill"
    assert page.locator("#scores .chart svg text").first.evaluate(ink) == "rgb(22, 25, 29)"


def test_on_paper_there_are_no_controls_and_the_first_samples(visit, report):
    page = visit(report).page
    page.emulate_media(media="print")
    for gone in ("nav", ".tools", ".controls", ".map-controls"):
        assert not page.locator(gone).first.is_visible()
    data = page.pdf(format="A4")
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) < 40
    page.emulate_media(media="screen")
    assert len(shown(page)) == 12  # as before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(visit, report, scheme):
    page = visit(report, width=390, height=844, scheme=scheme).page
    widths = "(node) => [node.scrollWidth, node.clientWidth]"
    for part in ("#scores", "#clusters", "#map", "#samples", "#making"):
        page.locator(part).scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        scroll, client = page.locator("html").evaluate(widths)
        assert scroll <= client
    first_card(page).click()
    sheet = page.locator("dialog .detail").evaluate(widths)
    assert sheet[0] <= sheet[1]


def test_without_the_chart_libraries_the_tables_are_open(
    visit, harbour_made, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "altair", None)
    page = visit(write_page(harbour_made, "harbour", 2, tmp_path / "page.html")).page
    assert page.locator("figure").count() == 0
    assert page.locator("#scores table").is_visible()
    assert len(shown(page)) == 10


@pytest.mark.parametrize("number", [3, 4])
def test_selections_by_other_means_open_too(visit, harbour_made, tmp_path, monkeypatch, number):
    monkeypatch.setitem(sys.modules, "altair", None)
    page = visit(write_page(harbour_made, "harbour", number, tmp_path / "page.html")).page
    assert page.locator("#edge").count() == 0
    page.select_option("#choice-view", "rest")
    first_card(page).click()
    assert page.locator("dialog .why").inner_text()


def test_a_redacted_page_opens_and_says_so(visit, harbour_made, tmp_path, monkeypatch):
    from ig4.core.engine.reporting.pagedata import PageRequest
    from ig4.core.engine.reporting.report import write_report
    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host
    from ig4.storage.store import Store

    with Store.open(harbour_made / "ig4.db") as store:
        session = Session(store, Host.discover(), [])
        request = PageRequest(texts=False)
        write_report(session, session.dataset("harbour"), 1, tmp_path / "page.html", request)
    page = visit((tmp_path / "page.html").as_uri()).page
    assert "left out (--redact)" in page.locator("footer").inner_text()
    assert shown(page)[0].startswith("sample ")
    first_card(page).click()
    assert page.locator("dialog svg.waterfall").is_visible()
    assert page.locator("img").count() == 0
