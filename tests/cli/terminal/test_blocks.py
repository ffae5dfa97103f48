"""Pictures of characters: their sizes, and what they show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.cli.terminal.blocks import Pen, bar, dotted, interval, padded, pen_for, stacked, towers
from ig4.core.charts.names import columns

PENS = (Pen(), Pen(blocks=False))
COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=30)


@pytest.mark.parametrize("pen", PENS)
@given(values=COUNTS, rows=st.integers(1, 6))
def test_towers_are_as_high_as_their_values(pen, values, rows):
    lines = towers(pen, values, rows)
    assert len(lines) == rows
    steps = len(pen.heights) - 1
    for n, value in enumerate(values):
        drawn = sum(pen.heights.index(line[n]) if n < len(line) else 0 for line in lines)
        assert (drawn > 0) == (value > 0)
        assert abs(drawn - steps * rows * value / max(1, *values)) <= 1


@pytest.mark.parametrize("pen", PENS)
@given(counts=st.lists(st.integers(0, 100), min_size=3, max_size=3), width=st.integers(1, 60))
def test_parts_of_a_bar_are_together_as_long_as_their_sum(pen, counts, width):
    total = sum(counts)
    line = stacked(pen, counts, total, width)
    assert len(line) == (width if total else 0)
    for sign, count in zip(pen.stack, counts, strict=True):
        assert abs(line.count(sign) - (width * count / total if total else 0)) <= 1


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 80))
def test_a_bar_is_never_longer_than_its_room(value, most, width):
    line = bar(Pen(), value, most, width)
    assert len(line) <= width
    assert bool(line) == (value > 0 and most > 0)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.integers(2, 60))
def test_an_interval_has_its_mark_between_its_ends(a, b, c, width):
    low, middle, high = sorted((a, b, c))
    line = interval(Pen(), low, middle, high, (0.0, 10.0), width)
    assert len(line) <= width
    assert line.count("●") == 1
    assert line.index("●") == round(middle / 10 * (width - 1))


@pytest.mark.parametrize("pen", [Pen(width=40), Pen(width=40, blocks=False)])
def test_a_map_shows_every_place_that_has_a_sample(pen):
    points = np.array([[-3.0, 50.0], [9.0, 90.0], [-3.0, 90.0], [9.0, 50.0], [3.0, 70.0]])
    lines, is_rare = dotted(pen, points, np.array([True, *[False] * 4]), 5)
    assert is_rare
    assert (len(lines), max(map(len, lines))) == (5, 38)
    # The first lies below on the left, and is the only one that is marked.
    assert [n for n, line in enumerate(lines) if pen.mark in line] == [4]
    assert lines[4].startswith(pen.mark)
    corners = [lines[0][0], lines[0][-1], lines[4][0], lines[4][-1]]
    assert " " not in corners
    assert lines[2].strip() != ""
    assert 17 <= len(lines[2]) <= 21  # in the middle


def test_where_most_places_are_marked_only_those_above_the_mean_are():
    points = np.array([[0.0, 0.0]] * 3 + [[1.0, 1.0]] * 3)
    marked = np.array([True, True, True, True, False, False])
    lines, is_rare = dotted(Pen(), points, marked, 3)
    assert not is_rare
    assert sum(line.count(Pen().mark) for line in lines) == 1


@pytest.mark.parametrize("points", [np.empty((0, 2)), np.ones((1, 2)), np.ones((5, 2))])
def test_few_and_equal_places_make_a_map(points):
    lines, _ = dotted(Pen(), points, np.zeros(len(points), dtype=bool), 4)
    assert len(lines) == (4 if len(points) else 0)


@given(st.text(max_size=40), st.integers(4, 30))
def test_a_padded_text_is_as_wide_as_it_is_to_be(text, width):
    assert columns(padded(text, width)) == width


class Terminal(io.StringIO):
    """A stream that says it is a terminal of some encoding."""

    def __init__(self, encoding="utf-8", is_tty=True):
        super().__init__()
        self._encoding, self._is_tty = encoding, is_tty

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._is_tty


def test_a_terminal_that_has_no_blocks_gets_ascii(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    assert pen_for(Terminal()) == Pen(89, blocks=True, colours=True)
    assert not pen_for(Terminal("latin-1")).blocks
    assert not pen_for(Terminal("ascii")).blocks
    assert not pen_for(Terminal("no-such-encoding")).blocks


def test_pipes_and_those_who_want_none_get_no_colours(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not pen_for(Terminal(is_tty=False)).colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert not pen_for(Terminal()).colours
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not pen_for(Terminal()).colours


def test_colours_end_where_they_began():
    pen = Pen(colours=True)
    assert pen.selected("x") == "\x1b[34mx\x1b[0m"
    assert pen.selected("  ") == "  "
    assert Pen().selected("x") == "x"
