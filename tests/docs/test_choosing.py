"""The figures of docs/choosing.md are those that the arena's page has, and its methods exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
ARENA = (ROOT / "examples" / "arena" / "README.md").read_text(encoding="utf-8")
ROW = r"^\| `([\w-]+)` \| (\S+ \[.*?\]) \| (\S+ %) \| ([\w ]+) \|$"
SHOWN = re.findall(ROW, PAGE, re.MULTILINE)


def measured():
    """Return what the arena measured in the world mixed-40, by arm."""
    found = {}
    world = ARENA[ARENA.index("### mixed-40: main") : ARENA.index("### mixed-70: main")]
    for line in world.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 12 and cells[3].startswith(("+", "-")) and "[" in cells[3]:
            difference = " ".join(cells[3].split())
            found.setdefault(cells[0].strip("`"), (difference, cells[9], cells[6]))
    return found


def test_the_table_has_figures():
    assert len(SHOWN) > 20


@pytest.mark.parametrize(("arm", "difference", "spoilt", "verdict"), SHOWN, ids=lambda x: x)
def test_a_figure_is_the_one_that_was_measured(arm, difference, spoilt, verdict):
    assert measured()[arm] == (difference, spoilt, verdict)


def test_every_method_with_a_page_is_in_the_table_of_needs():
    pages = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")}
    named = set(re.findall(r"\]\(methods/([\w-]+)\.md\)", PAGE))
    assert pages - named == {"README", "neighbours", "phash", "t-mars"}
