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


def test_on_a_narrow_terminal_each_value_gets_a_line(shown):
    assert shown(40).splitlines() == [
        "name    length", "values  30", "origin  ig4/length 1, 2026-11-29", "",
        "name    clip-of-a-long-name", "values", "origin  two", "        lines",
    ]  # fmt: skip


def test_on_a_narrower_one_values_go_on_below_themselves(shown):
    assert shown(26, ROWS[:1]).splitlines() == [
        "name    length", "values  30", "origin  ig4/length 1,", "        2026-11-29",
    ]  # fmt: skip


@pytest.fixture
def said(monkeypatch):
    """What a terminal, or a pipe, of a width shows of a call."""

    def _said(width, call, *arguments, out=None, **more):
        monkeypatch.setenv("COLUMNS", str(width))
        out = Terminal() if out is None else out
        monkeypatch.setattr(sys, "stdout", out)
        call(*arguments, **more)
        return out.getvalue()

    return _said


TEXT = "its length would have to rise by 12.5 points, from 3 to 15.5"


def test_sentences_are_folded_between_words_on_a_terminal_and_not_in_a_pipe(said):
    assert said(30, render.say, f"- {TEXT}", 2) == (
        "- its length would have to\n  rise by 12.5 points, from 3\n  to 15.5\n"
    )
    assert said(30, render.say, TEXT, out=io.StringIO()) == f"{TEXT}\n"
    assert said(80, render.say, f"{TEXT}\n  x  y") == f"{TEXT}\n  x  y\n"
    assert said(20, render.say, "see /a/path/that/is/long/and/whole now") == (
        "see\n/a/path/that/is/long/and/whole\nnow\n"
    )
    wide = said(20, render.say, "一二三四五 六七八九十 一二三四五")
    assert wide == "一二三四五\n六七八九十\n一二三四五\n"


def test_facts_are_folded_below_their_values_and_several_may_have_one_name(said):
    pairs = [("image", "a b c d e f g h i j k"), ("image", "one\ntwo")]
    assert said(24, render.print_pairs, pairs) == (
        "image  a b c d e f g h i\n       j k\nimage  one\n       two\n"
    )
    assert (
        said(24, render.print_facts, {"a": "x " * 20}, out=io.StringIO())
        == f"a  {'x ' * 20}".rstrip() + "\n"
    )


def test_what_a_selector_says_is_told_in_words(said):
    told = {
        "group": "describe", "members": 3439, "relaxed": 1.0, "repeats_another": False,
        "percentiles": {"clip": 85.4, "length": 12.25}, "rows": [], "budget": None,
    }  # fmt: skip
    assert render.told(told) == (
        "group describe; members 3439; relaxed 1; repeats another no; percentiles clip 85.4, "
        "length 12.25; rows nothing"
    )
    assert render.told(["clip is low", "it is long"]) == "clip is low; it is long"
    assert render.told({"score": 1.5, "rank": 0.25}) == "score 1.5, rank 0.25"


def test_on_a_wide_one_it_is_a_table(shown):
    first, rule, *rows = shown(100).splitlines()
    assert first.split() == ["name", "values", "origin"]
    assert set(rule.strip()) == {"─"}
    assert rows[0].split() == ["length", "30", "ig4/length", "1,", "2026-11-29"]


def test_an_empty_table_shows_its_columns_even_there(shown):
    text = "".join(shown(40, []).split())
    assert text.startswith("namevaluesorigin")
