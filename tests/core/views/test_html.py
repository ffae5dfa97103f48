"""What a notebook is shown is text and never more than that."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.views import html

ALLOWED = {"div", "b", "table", "thead", "tbody", "tr", "th", "td", "bdi", "img"}


class Reader(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.texts.append(data)


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_is_taken_for_markup(name, cell):
    read = Reader(html.view(name, [html.table([name], [[cell]]), html.facts({name: cell})]))
    assert set(read.tags) <= ALLOWED
    assert {name for _, name, _ in read.attributes} <= {"style", "scope"}


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</td></table><b>", "&lt;",
])  # fmt: skip
def test_what_looks_like_markup_is_read_as_it_was_written(text):
    assert text in "".join(Reader(html.table(["a"], [[text]])).texts)


def test_control_characters_and_half_surrogates_are_not_shown():
    shown = html.table(["a"], [["a\x1b[31m\x00\ud800\u009b"]])
    shown.encode()
    assert not {"\x1b", "\x00", "\x9b"} & set(shown)


def test_long_texts_and_long_tables_are_cut_and_say_so():
    shown = html.table(["a"], [["x" * 1_160]] * 25)
    assert shown.count("… (1,000 more)") == 10
    assert "… and 15 more" in shown
    assert "… and 9 more" in html.table(["a"], [[1]], 9)
    assert "more" not in html.table(["a"], [[1]])


def test_numbers_stand_right_and_what_is_not_there_is_empty():
    cells = Reader(html.table(list("abcdef"), [[1234, 0.5, None, float("nan"), True, b"ab"]]))
    assert [text for text in cells.texts if text not in "abcdef"] == [
        "1,234", "0.5", "yes", "<2 bytes>",
    ]  # fmt: skip


def test_pictures_are_in_the_page_alone():
    with pytest.raises(ValueError, match="in the page alone"):
        html.Picture("https://example.org/x.png", "x")
    shown = html.table(["a"], [[html.Picture("data:image/webp;base64,AA", '"x"')]])
    assert ("img", "src", "data:image/webp;base64,AA") in Reader(shown).attributes
    assert ("img", "alt", '"x"') in Reader(shown).attributes
