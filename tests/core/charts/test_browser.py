"""Charts in a real browser, under a policy that allows no code made of text."""

from __future__ import annotations

import shutil

import pytest

from ig4.core.charts.document import chart_page
from ig4.core.charts.rendering import specification
from ig4.core.charts.themes import THEMES

from .every import KINDS, every_chart

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    """Chromium, as Debian brings it; a skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium here")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page with a chart of each kind, of hostile names."""
    path = tmp_path_factory.mktemp("pages") / "all.html"
    charts = every_chart()
    path.write_text(chart_page([specification(charts[kind]) for kind in KINDS]), encoding="utf-8")
    return path


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_every_chart_is_drawn_and_nothing_is_run_or_fetched(scheme, width, browser, page_file):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(page_file.as_uri())
    for number in range(len(KINDS)):
        page.wait_for_selector(f"#chart-{number} svg", timeout=30_000)
    assert said == []
    assert asked == [page_file.as_uri()]
    assert page.evaluate("document.body.className") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg image, svg script, svg foreignObject").count() == 0
    context.close()


def test_a_tooltip_has_the_whole_name_as_text(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    number = KINDS.index("groups")
    page.wait_for_selector(f"#chart-{number} svg", timeout=30_000)
    page.locator(f"#chart-{number} svg .mark-rect path").first.hover(force=True)
    page.locator("#vg-tooltip-element", has_text="<script>alert(1)</script>").wait_for()
    assert page.locator("#vg-tooltip-element script").count() == 0
    page.close()


def test_a_page_follows_its_reader_from_light_to_dark(browser, page_file):
    page = browser.new_page(color_scheme="light")
    page.goto(page_file.as_uri())
    page.wait_for_selector("#chart-0 svg", timeout=30_000)
    page.emulate_media(color_scheme="dark")
    page.locator("body.dark").wait_for()
    title = page.locator("#chart-0 .role-title text").first
    title.and_(page.locator("[fill='#e8eaed']")).wait_for()
    assert THEMES[1] == "dark"
    page.close()
