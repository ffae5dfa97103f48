"""How cards are laid out: no line is cut in half, no word of a command, and two are in a row."""

from __future__ import annotations

import pytest

from ..harbour import BALANCED, NO_GPT, TOPK, N, gpt_score
from .conftest import write_page

pytestmark = pytest.mark.slow

CUT = """(cards) => cards.flatMap((card) => {
    const inside = card.getBoundingClientRect().bottom - 2;
    return [...card.children].flatMap((part) => {
        const line = parseFloat(getComputedStyle(part).lineHeight);
        const box = part.getBoundingClientRect();
        const lines = (part.clientHeight / line) % 1;
        const text = part.matches(".card-answer, .card-caption");
        const half = text && Math.min(lines, 1 - lines) > 0.1;
        return half || box.bottom > inside ? [`${part.className}: ${part.textContent}`] : [];
    });
})"""
BADGES = """(badges) => badges
    .filter((one) => one.scrollHeight > one.clientHeight + 2 || one.scrollWidth > one.clientWidth)
    .map((one) => one.textContent)"""


def all_cards(page):
    page.locator("#samples").evaluate("(node) => node.scrollIntoView()")
    page.locator("#samples .card").first.wait_for()
    return page.locator(".card")


@pytest.fixture
def page_of(visit, harbour_made, tmp_path, monkeypatch):
    """Open the page of a selection, without charts."""
    import sys

    monkeypatch.setitem(sys.modules, "altair", None)

    def _page_of(number, **more):
        return visit(
            write_page(harbour_made, "harbour", number, tmp_path / "page.html"), **more
        ).page

    return _page_of


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("number", [1, TOPK, BALANCED])
def test_no_line_of_a_card_is_cut_in_half(page_of, number, width):
    page = page_of(number, width=width)
    assert all_cards(page).count() > 40
    assert page.locator(".card").evaluate_all(CUT) == []
    page.select_option("#choice-view", "rest")
    assert all_cards(page).evaluate_all(CUT) == []
    assert page.locator(".card .badge").evaluate_all(BADGES) == []


@pytest.mark.parametrize("width", [1440, 390])
def test_no_line_of_a_hostile_card_is_cut_in_half(visit, hostile_report, width):
    page = visit(hostile_report, width=width).page
    assert all_cards(page).evaluate_all(CUT) == []


def test_on_a_phone_two_cards_are_in_a_row(page_of):
    page = page_of(1, width=390, height=844)
    all_cards(page)
    for row in ("#samples .grid > li", "#edge .pair:first-child > .card", "#kept .strip > .card"):
        first, second = (page.locator(row).nth(n).bounding_box() for n in (0, 1))
        assert first["y"] == second["y"]
        assert first["x"] >= 0
        assert second["x"] + second["width"] <= 390
    first, third = (page.locator("#samples .grid > li").nth(n).bounding_box() for n in (0, 2))
    assert third["y"] > first["y"]


def test_near_duplicates_are_pairs_of_what_was_kept(page_of):
    page = page_of(1)
    part = page.locator("#duplicates")
    assert part.locator(".told").inner_text().startswith("2 pairs of selected samples")
    assert part.locator(".pair").count() == 2
    assert part.locator(".pair").first.locator(".card").count() == 2
    assert part.locator(".badge.out").count() == 0
    assert "Near-duplicates" not in page.locator("#left-out").inner_text()
    page.select_option("#choice-view", "duplicates")
    assert page.locator("#choice-view option:checked").inner_text() == "Near-duplicates (2 pairs)"
    assert page.locator("#samples > .told").inner_text().startswith("3 samples: 2 pairs.")


def test_a_gallery_that_is_filtered_counts_what_it_has(page_of):
    page = page_of(TOPK)
    told = page.locator("#samples > .told")
    page.select_option("#choice-view", "worst:gpt")
    assert told.inner_text().startswith("24 samples of 77.")
    page.select_option("#choice-cluster", "3")
    worst = sorted((n for n in range(N) if n not in NO_GPT), key=lambda n: (gpt_score(n), n))[:24]
    many = sum(n < 40 for n in worst)  # those of the cluster
    assert 0 < many < 24
    said = f"{many} samples of the 24 in this gallery, which shows 24 of 77."
    assert told.inner_text().startswith(said)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_words_of_the_command_stay_whole_and_are_copied(visit, plain, width):
    page = visit(plain, width=width, permissions=["clipboard-read", "clipboard-write"]).page
    command = page.locator(".command code")
    text = command.inner_text()
    assert text.startswith("ig4 select ")
    assert " --size 12 --weights gpt=0.7,look=0.3 " in text
    words = command.locator(".word")
    lines = "(words) => words.map((one) => one.getBoundingClientRect().height)"
    assert len(set(words.evaluate_all(lines))) == 1
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("() => navigator.clipboard.readText()") == text


def test_where_nothing_may_be_copied_the_command_is_selected(visit, plain):
    made = visit(plain)
    page = made.page
    page.evaluate(
        "() => { delete Navigator.prototype.clipboard; document.execCommand = () => false; }"
    )
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Press Ctrl-C").wait_for()
    assert (
        page.evaluate("() => String(getSelection())") == page.locator(".command code").inner_text()
    )
