"""Names of a data set on axes and in tooltips."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ig4.core.charts.names import columns, labels, short, shown

TEXTS = st.text(max_size=60)


@given(st.lists(TEXTS, max_size=30), st.integers(8, 30))
@example(["same" * 20] * 12, 8)
@example(["", " ", "\n"], 22)
def test_labels_differ_and_are_no_wider_than_told(names, width):
    found = labels(names, width)
    assert len(found) == len(names)
    assert len(set(found)) == len(found)
    assert all(columns(label) <= width for label in found)


@given(TEXTS)
def test_what_is_shown_can_be_seen_and_is_never_empty(name):
    assert shown(name).isprintable()
    assert shown(name).strip()
    assert short(name).isprintable()


def test_a_short_name_stays_as_it_is():
    assert labels(["clip", "turns: what color"]) == ["clip", "turns: what color"]


def test_a_long_name_keeps_its_start_and_its_end():
    assert short("/models/minigpt4/selection-200", 16) == "/models/mi…n-200"


def test_chinese_letters_take_two_columns():
    assert short("漢字漢字漢字", 7) == "漢字…字"


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString"])
def test_a_name_that_is_a_key_of_every_object_is_none_as_a_label(name):
    assert labels([name, "clip"]) == [f'"{name}"', "clip"]
    assert columns(labels([name], 8)[0]) <= 11


def test_marks_of_direction_become_visible():
    assert shown("a\u202eb") == "a\N{REPLACEMENT CHARACTER}b"
