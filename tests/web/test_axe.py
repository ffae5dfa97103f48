"""Nothing serious that axe-core finds: names, roles, contrast, in light and dark."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

axe = pytest.importorskip("axe_playwright_python.sync_playwright")


def serious(page):
    """What axe-core finds that is serious or critical."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@SCHEMES
def test_the_report_and_its_dialog(visit, report, scheme):
    page = visit(report, scheme=scheme, bypass_csp=True).page
    for part in page.locator("main > section").all():
        part.scroll_into_view_if_needed()
        page.wait_for_timeout(60)
    for one in page.locator("main details").all():
        one.evaluate("(node) => { node.open = true; }")
    page.locator("#samples .card").first.wait_for()
    assert serious(page) == []
    page.select_option("#choice-view", "rest")
    page.locator("#samples .card").first.click()
    page.locator("dialog[open] h2").wait_for()
    assert serious(page) == []


@SCHEMES
def test_every_tab_of_the_browser_and_its_dialog(visit, site, scheme):
    page = visit(f"{site}/?view=all#token=token-of-the-tests", scheme=scheme, bypass_csp=True).page
    page.locator("#samples .card .card-id").first.wait_for()
    page.locator(".facet:visible").first.wait_for()
    found = {"gallery": serious(page)}
    page.locator("#samples .card").first.click()
    page.locator("dialog[open] h3").first.wait_for()
    found["dialog"] = serious(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Map", exact=True).click()
    page.get_by_text("samples in sight").wait_for()
    found["map"] = serious(page)
    page.get_by_role("button", name="What if", exact=True).click()
    slider = page.get_by_label("size", exact=True)
    slider.focus()
    slider.press("ArrowLeft")
    page.locator("#whatif [role=status]", has_text="would enter").wait_for()
    found["what if"] = serious(page)
    page.get_by_role("button", name="SQL", exact=True).click()
    page.get_by_role("button", name="Run").click()
    page.locator("#sql-part table").wait_for()
    found["sql"] = serious(page)
    assert {name: one for name, one in found.items() if one} == {}
