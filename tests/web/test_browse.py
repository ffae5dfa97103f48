"""The live database in a real browser: gallery, filters, map, what-if, SQL, addresses, keyboard."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from ..harbour import NO_GPT, TEXT_ONLY, N, gpt_score
from .conftest import address

pytestmark = pytest.mark.slow


def told(page):
    return page.locator("#samples > .told")


FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def cards(page):
    page.locator("#samples .card .card-id").first.wait_for()
    return page.locator("#samples .card-id").all_inner_texts()


def tab(page, name):
    page.locator("#nav").get_by_role("button", name=name, exact=True).click()


def test_it_opens_with_the_selection(visit, site):
    page = visit(site).page
    assert page.locator("h1").inner_text() == f"12 of {N} samples of harbour"
    assert len(cards(page)) == 12
    assert told(page).inner_text().startswith("12 samples.")
    assert page.locator("#selection option").count() == 4
    assert page.locator("#samples img").first.evaluate("(image) => image.complete")


def test_filters_and_sorting_and_what_the_address_keeps(visit, site):
    page = visit(site).page
    page.select_option("#choice-view", "all")
    page.select_option("#choice-sort", "by:gpt")
    page.check("#down")
    told(page).filter(has_text=f"{N} samples.").wait_for()
    known = sorted((n for n in range(N) if n not in NO_GPT), key=lambda n: (-gpt_score(n), n))
    page.locator("#samples .card-id", has_text=f"harbour-{known[3]:03d}").wait_for()
    assert cards(page)[:4] == [f"harbour-{n:03d}" for n in known[:4]]
    page.fill("#search", "ferryboat")
    told(page).filter(has_text="39 samples.").wait_for()
    assert "sort=by%3Agpt" in address(page)
    assert "q=ferryboat" in address(page)
    again = visit(address(page)).page
    assert again.locator("#search").input_value() == "ferryboat"
    told(again).filter(has_text="39 samples.").wait_for()
    page.get_by_role("button", name="Clear").click()
    told(page).filter(has_text="12 samples.").wait_for()


def test_histograms_filter_each_other(visit, site):
    page = visit(f"{site}/?view=all").page
    gpt = page.get_by_role("group", name="gpt")
    gpt.wait_for()
    gpt.get_by_label("gpt from").fill("50")
    gpt.get_by_label("gpt from").press("Enter")
    many = sum((gpt_score(n) or 0) >= 50 for n in range(N))
    told(page).filter(has_text=f"{many} samples.").wait_for()
    assert "range.gpt=50" in address(page)
    picture = gpt.locator("svg")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=3)
    page.mouse.up()
    page.wait_for_url(re.compile(r"range\.gpt=0\.\d+"))
    gpt.get_by_role("button", name="clear").click()
    told(page).filter(has_text=f"{N} samples.").wait_for()


def test_a_limit_that_was_not_typed_leaves_nothing_out(visit, site):
    page = visit(f"{site}/?view=all").page
    final = page.get_by_role("group", name="final")
    final.wait_for()
    known = N - len({*NO_GPT, *TEXT_ONLY})
    for which, value, limit in (("to", "1000", ",1000"), ("from", "-1000", "-1000,")):
        final.get_by_label(f"final {which}").fill(value)
        final.get_by_label(f"final {which}").press("Enter")
        told(page).filter(has_text=f"{known} samples.").wait_for()
        page.wait_for_url(lambda url, limit=limit: f"range.final={limit}" in unquote(url))
        other = "from" if which == "to" else "to"
        assert final.get_by_label(f"final {other}").input_value() == ""
        final.get_by_role("button", name="clear").click()
        told(page).filter(has_text=f"{N} samples.").wait_for()


def test_the_side_that_was_not_typed_keeps_the_digits_that_are_not_shown(visit, site):
    page = visit(f"{site}/?view=all&range.gpt=10.123456789,80").page
    gpt = page.get_by_role("group", name="gpt")
    gpt.wait_for()
    low = """() => document.querySelector('[aria-label="gpt from"]').value === "10.123" """
    page.wait_for_function(low)  # histograms come after the page
    gpt.get_by_label("gpt to").fill("70")
    gpt.get_by_label("gpt to").press("Enter")
    page.wait_for_url(lambda url: "range.gpt=10.123456789,70" in unquote(url))
    gpt.get_by_label("gpt to").fill("5")
    gpt.get_by_label("gpt to").press("Enter")
    assert gpt.get_by_label("gpt from").evaluate("(one) => one.validationMessage")
    assert "range.gpt=10.123456789,70" in unquote(address(page))


def test_a_drag_to_the_border_is_open_there(visit, site):
    page = visit(f"{site}/?view=all").page
    picture = page.get_by_role("group", name="gpt").locator("svg")
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 30, box["y"] + 20, steps=3)
    page.mouse.up()
    page.wait_for_url(lambda url: re.search(r"range\.gpt=[\d.]+,(&|$)", unquote(url)))


def test_a_sample_has_its_place_and_neighbours_and_one_walks_on(visit, site):
    page = visit(f"{site}/?view=all&sort=row").page
    cards(page)
    page.locator("#samples .card").first.click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("heading", name="Nearest neighbours").wait_for()
    assert dialog.locator("h2").inner_text() == "harbour-000"
    assert re.search(r"Place \d+ of \d+", dialog.inner_text())
    assert dialog.locator("svg.waterfall").count() == 1
    page.keyboard.press("ArrowRight")
    dialog.locator("h2", has_text="harbour-001").wait_for()
    assert dialog.locator(".position").inner_text() == f"2 of {N} samples"
    dialog.locator(".strip .card").first.click()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_the_address_is_that_of_the_sample_on_show(visit, site):
    page = visit(f"{site}/?view=all&sort=row").page
    cards(page)
    page.locator("#samples .card").first.click()
    dialog = page.locator("dialog[open]")
    dialog.locator("h2", has_text="harbour-000").wait_for()
    assert "open=0" in address(page)
    page.keyboard.press("ArrowRight")
    dialog.locator("h2", has_text="harbour-001").wait_for()
    assert "open=1" in address(page)
    near = dialog.locator(".strip .card").last
    name = near.locator(".card-id").inner_text()
    near.click()
    dialog.locator("h2", has_text=name).wait_for()
    assert f"open={int(name[-3:])}" in address(page)
    again = visit(address(page)).page
    again.locator("dialog[open] h2", has_text=name).wait_for()
    page.keyboard.press("Escape")
    page.evaluate(FRAMES)  # a dialog says that it closed a moment later
    assert "open=" not in address(page)


def test_a_link_opens_a_sample(visit, site):
    page = visit(f"{site}/?view=all&open=7").page
    page.locator("dialog[open] h2", has_text="harbour-007").wait_for()
    assert "no gpt score" in page.locator("dialog .why").inner_text()


def test_the_map_shows_points_and_a_click_opens_one(visit, site):
    page = visit(f"{site}/?tab=map").page
    page.get_by_text(f"{N} samples in sight, 12 of them selected.").wait_for()
    canvas = page.locator("canvas")
    box = canvas.bounding_box()
    for x in range(60, int(box["width"]), 40):
        for y in range(40, int(box["height"]), 40):
            canvas.click(position={"x": x, "y": y})
            if page.locator("dialog[open]").count():
                page.locator("dialog[open] h2", has_text="harbour-").wait_for()
                return
    pytest.fail("no point of the map opens a sample")


def test_a_region_of_the_map_is_a_filter(visit, site):
    page = visit(f"{site}/?tab=map&view=all").page
    page.get_by_text(f"{N} samples in sight, 12 of them selected.").wait_for()
    page.get_by_label("drag marks a region").check()
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()
    page.wait_for_url(re.compile(r"range\.x="))
    tab(page, "Gallery")
    fewer = told(page).filter(has_text=re.compile(rf"^(?!{N} )\d+ samples\."))  # not those before
    fewer.wait_for()
    assert 0 < int(fewer.inner_text().split()[0]) < N


def test_sliders_show_at_once_what_enters_and_leaves(visit, site):
    page = visit(f"{site}/?tab=whatif").page
    page.get_by_label("size, as a number").fill("20")
    page.get_by_label("size, as a number").press("Enter")
    said = page.locator("#whatif .told", has_text="20 samples:")
    said.wait_for()
    assert said.inner_text() == "20 samples: 8 would enter, 0 would leave."
    assert page.locator(".whatif-part .card").count() == 8
    page.get_by_label("look", exact=True).fill("1")
    page.locator("#whatif .told", has_text=re.compile("[1-9] would leave")).wait_for()
    page.get_by_role("button", name="As it is").click()
    assert page.locator(".whatif-part").count() == 0
    assert page.get_by_label("size, as a number").input_value() == "12"


def test_what_would_enter_is_told_with_what_it_would_have(visit, site):
    page = visit(f"{site}/?tab=whatif&selection=2").page
    page.get_by_label("size, as a number").fill("12")
    page.get_by_label("size, as a number").press("Enter")
    said = page.locator("#whatif .told", has_text="12 samples: 2 would enter")
    said.wait_for()
    assert re.search(r"The line moves from [\d.]+ to [\d.]+\.$", said.inner_text())
    caption = page.locator(".whatif-part .card").last.locator(".card-caption").inner_text()
    assert re.fullmatch(r"F ([\d.]+) → \1, rank 12, on the line at \1", caption)
    assert page.locator(".whatif-part .card-final").count() == 0


def test_the_sliders_are_in_the_address(visit, site):
    page = visit(f"{site}/?tab=whatif").page
    for name, value in (("size", "20"), ("look", "0.123456789")):
        page.get_by_label(f"{name}, as a number").fill(value)
        page.get_by_label(f"{name}, as a number").press("Enter")
    page.select_option("#whatif-scale", "minmax")
    said = page.locator("#whatif .told", has_text="20 samples:")
    said.wait_for()
    page.wait_for_function("() => location.search.includes('scale=minmax')")
    assert "weight.look=0.123456789" in address(page)
    assert "size=20" in address(page)
    page.wait_for_load_state("networkidle")
    again = visit(address(page)).page
    again.locator("#whatif .told", has_text="20 samples:").wait_for()
    assert again.locator("#whatif .told").nth(1).inner_text() == said.inner_text()
    assert again.get_by_label("look, as a number").input_value() == "0.123456789"
    assert again.locator("#whatif-scale").input_value() == "minmax"
    again.get_by_role("button", name="As it is").click()
    assert again.url == f"{site}/?tab=whatif"
    assert again.get_by_label("look, as a number").input_value() == "0.3"


@pytest.mark.parametrize("name", ["whatif", "sql"])
def test_filters_are_only_where_they_do_something(visit, site, name):
    page = visit(f"{site}/?tab={name}#token=token-of-the-tests").page
    assert not page.locator(".filters").is_visible()
    tab(page, "Gallery")
    assert page.locator(".filters").is_visible()
    assert page.locator("#choice-sort").is_visible()
    tab(page, "Map")
    assert page.locator(".filters").is_visible()
    assert not page.locator("#choice-sort").is_visible()


def test_the_map_says_what_the_gallery_has_of_it(visit, site):
    page = visit(f"{site}/?tab=map").page
    page.get_by_text("Others are drawn, too. The gallery has the 12 selected.").wait_for()
    page.get_by_label("drag marks a region").check()
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()
    note = page.locator("#map .told", has_text=re.compile(r"has the \d+ selected in the marked"))
    note.wait_for()
    many = re.search(r"\d+", note.inner_text())[0]
    tab(page, "Gallery")
    told(page).filter(has_text=f"{many} samples.").wait_for()


def test_sql_reads_and_writes_nothing(visit, site):
    page = visit(f"{site}/?tab=sql", quiet=False).page
    page.fill("#sql", "SELECT count(*) AS many FROM samples")
    page.keyboard.press("Control+Enter")
    page.locator("#sql-part td", has_text=str(N)).wait_for()
    page.fill("#sql", "DELETE FROM samples")
    page.get_by_role("button", name="Run").click()
    page.locator("#sql-part .told", has_text="read-only").or_(
        page.locator("#sql-part .told", has_text="readonly")
    ).or_(page.locator("#sql-part .told", has_text="read")).first.wait_for()
    page.fill("#sql", "SELECT count(*) AS many FROM samples")
    page.get_by_role("button", name="Run").click()
    page.locator("#sql-part td", has_text=str(N)).wait_for()


def test_another_selection_is_chosen_by_name(visit, site):
    page = visit(site).page
    page.select_option("#selection", "2")
    page.wait_for_url(re.compile("selection=2"))
    page.locator("h1", has_text=f"10 of {N} samples").wait_for()


def test_with_the_keyboard_alone(visit, site):
    page = visit(site).page
    cards(page)
    focused = page.locator(":focus")
    page.keyboard.press("/")
    assert focused.get_attribute("id") == "search"
    page.keyboard.type("anchorword")
    told(page).filter(has_text="12 samples.").wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        if "card" in (focused.get_attribute("class") or "").split():
            break
    first = focused.locator(".card-id").inner_text()
    page.keyboard.press("ArrowRight")
    assert focused.locator(".card-id").inner_text() != first
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.locator("dialog[open] h2", has_text=first).wait_for()
    page.keyboard.press("Escape")
    assert focused.locator(".card-id").inner_text() == first


def test_the_focus_comes_back_from_a_dialog_though_the_gallery_was_drawn_anew(visit, site):
    page = visit(site).page
    cards(page)
    page.locator("#samples .card").nth(1).focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open] h2").wait_for()
    page.set_viewport_size({"width": 900, "height": 800})  # fewer cards are side by side
    page.evaluate(FRAMES)
    page.keyboard.press("Escape")
    page.locator("#samples .card:focus .card-id").wait_for()
    assert page.locator(":focus").inner_text() == page.locator("#samples .card").nth(1).inner_text()


def test_the_token_leaves_the_address_and_shows_what_it_allows(visit, site):
    page = visit(f"{site}/#token=token-of-the-tests").page
    assert "token" not in address(page)
    assert page.get_by_label("Store these").is_visible()
    assert visit(site).page.get_by_label("Store these").count() == 0


@pytest.mark.parametrize("name", ["gallery", "map", "whatif", "sql"])
def test_on_a_phone_nothing_is_wider_than_the_screen(visit, site, name):
    link = f"{site}/?tab={name}&view=all#token=token-of-the-tests"
    page = visit(link, width=390, height=844).page
    widths = "(one) => [one.scrollWidth, one.clientWidth]"
    assert not page.locator("#search").is_visible()  # what one looks at comes first
    if name == "whatif":
        page.get_by_label("size, as a number").fill("20")
        page.get_by_label("size, as a number").press("Enter")
        page.locator("#whatif .told", has_text="20 samples:").wait_for()
        for control in page.locator(".whatif-controls input, .whatif-controls button").all():
            box = control.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
    scroll, client = page.locator("html").evaluate(widths)
    assert scroll <= client
    if name in ("whatif", "sql"):
        assert not page.get_by_text("Filters", exact=True).is_visible()  # they do nothing there
        return
    page.get_by_text("Filters", exact=True).click()
    page.locator(".facet:visible").first.wait_for()
    scroll, client = page.locator("html").evaluate(widths)
    assert scroll <= client
