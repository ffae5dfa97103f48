"""Every component that looks at pools has a page, and the list of methods has every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ig4.plugins.builtin import COMPONENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(path.stem for path in (DOCS / "methods").glob("*.md") if path.stem != "README")


@pytest.mark.parametrize("component", [one for one in COMPONENTS if one.docs], ids=str)
def test_the_page_that_a_component_names_is_there(component):
    assert (DOCS / f"{component.docs}.md").is_file()


def test_every_component_of_the_second_contracts_names_its_page():
    new = [one for one in COMPONENTS if one.api == 2]
    assert [one.name for one in new if not one.docs] == []


def test_the_list_has_every_page_and_no_other():
    listed = re.findall(
        r"^\| \[[^]]+\]\((\S+)\.md\)", (DOCS / "methods" / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_how_it_was_proved(page):
    text = (DOCS / "methods" / f"{page}.md").read_text(encoding="utf-8")
    assert re.search(r"prove", text, re.IGNORECASE), page
    assert "ig4 " in text, page
