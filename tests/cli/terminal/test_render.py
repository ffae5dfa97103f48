"""Tables on terminals: whatever their width, nothing of a value is lost."""

from __future__ import annotations

import io
import re
import sys

import pytest

from ig4.cli.terminal import render

ROWS = [("length", 30, "ig4/length 1, 2026-11-29"), ("clip-of-a-long-name", None, "two\nlines")]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """What a terminal of a width shows of a table."""

    def _shown(width, rows=ROWS):
        monkeypatch.setenv("COLUMNS", str(width))
        out = Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        render.print_table(("name", "values", "origin"), rows)
        return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())

    return _shown


@pytest.mark.parametrize("width", [20, 40])
def test_on_a_narrow_terminal_each_value_gets_a_line(shown, width):
    assert shown(width).splitlines() == [
        "name    length", "values  30", "origin  ig4/length 1, 2026-11-29", "",
        "name    clip-of-a-long-name", "values", "origin  two", "        lines",
    ]  # fmt: skip


def test_on_a_wide_one_it_is_a_table(shown):
    first, rule, *rows = shown(100).splitlines()
    assert first.split() == ["name", "values", "origin"]
    assert set(rule.strip()) == {"─"}
    assert rows[0].split() == ["length", "30", "ig4/length", "1,", "2026-11-29"]


def test_an_empty_table_shows_its_columns_even_there(shown):
    text = "".join(shown(40, []).split())
    assert text.startswith("namevaluesorigin")
