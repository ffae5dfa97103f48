"""When the server is gone or fails, the page says so, and goes on when it is there again."""

from __future__ import annotations

import pytest

from .conftest import _copied, serving

pytestmark = pytest.mark.slow

GONE = "The server does not answer: is ig4 browse still running?"


@pytest.fixture
def stranded(visit, harbour_made, tmp_path):
    """Open a page, and let its server end."""

    def _stranded(query, before):
        with serving(_copied(harbour_made, tmp_path)) as address:
            made = visit(f"{address}/{query}", quiet=False)
            before(made.page)
        return made

    return _stranded


def errors(visit):
    """What nobody caught."""
    loud = [one for one in visit.messages if one.startswith("error: ")]
    return [one for one in loud if "Failed to load resource" not in one]


def open_first(page):
    page.locator("#samples .card .card-id").first.click()
    page.locator("dialog[open] h2", has_text="harbour-000").wait_for()


def test_the_dialog_says_that_a_sample_cannot_be_had(stranded):
    made = stranded("?view=all&sort=row", open_first)
    dialog = made.page.locator("dialog[open]")
    dialog.get_by_role("button", name="Next").click()
    dialog.get_by_role("alert").filter(has_text=GONE).wait_for()
    assert dialog.locator(".position").inner_text() == "2 of 80 samples"
    assert "harbour-000" not in dialog.inner_text()
    dialog.get_by_role("button", name="Try again").click()
    dialog.get_by_role("alert").filter(has_text=GONE).wait_for()
    assert errors(made) == []


def test_reload_filters_map_and_sliders_say_it_too(stranded):
    made = stranded("", lambda page: page.locator("#samples .card").first.wait_for())
    page = made.page
    alert = page.locator("main > [role=alert]")
    assert not alert.is_visible()
    page.get_by_role("button", name="Reload").click()
    alert.filter(has_text=GONE).wait_for()
    page.select_option("#choice-view", "all")
    alert.filter(has_text=GONE).wait_for()
    page.locator("#nav").get_by_role("button", name="Map", exact=True).click()
    page.locator("#map .told", has_text=GONE).wait_for()
    page.locator("#nav").get_by_role("button", name="What if").click()
    page.get_by_label("size, as a number").fill("20")
    page.get_by_label("size, as a number").press("Enter")
    page.locator("#whatif .told", has_text=GONE).wait_for()
    assert errors(made) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Internal Server Error", "The server answers with no JSON (500"),
        ('{"error": "it broke"}', "it broke"),
    ],
)
def test_an_answer_that_is_none_is_said_and_asked_for_again(visit, site, body, said):
    made = visit(f"{site}/?view=all&sort=row", quiet=False)
    page = made.page
    open_first(page)
    page.route("**/api/sample/1?*", lambda route: route.fulfill(status=500, body=body), times=1)
    page.keyboard.press("ArrowRight")
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("alert").filter(has_text=said).wait_for()
    dialog.get_by_role("button", name="Try again").click()
    dialog.locator("h2", has_text="harbour-001").wait_for()
    assert errors(made) == []


def test_a_page_of_samples_that_failed_is_asked_for_again(visit, site):
    made = visit(f"{site}/?view=all&sort=row", quiet=False)
    page = made.page
    page.route("**/api/samples?*offset=60*", lambda route: route.abort(), times=1)
    open_first(page)
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.locator("main > [role=alert]").filter(has_text=GONE).wait_for()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    page.locator("#samples .card-id", has_text="harbour-079").wait_for()
    assert errors(made) == []
