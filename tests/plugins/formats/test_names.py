"""File names from ids that nobody has checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.records import Record
from ig4.plugins.formats.names import image_name, is_safe_path, safe_stem

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize("name", ["2", "000000123", "a-b_c.d", "图像1", "x" * 100, "CONTENT"])
def test_a_good_id_stays_as_it_is(name):
    assert safe_stem(name) == name


@pytest.mark.parametrize(
    "name",
    ["../../x", "a/b", "a\\b", "CON", "con.x", "lpt1", "", ".", "..", " a ", "a.", "a:b", "a\0b",
     "x" * 300, "图" * 200, "\ud800", "a\nb", 'a"b', "~/x|y"],
)  # fmt: skip
def test_a_hostile_id_becomes_a_safe_name_of_its_own(name):
    stem = safe_stem(name)
    assert stem != name
    assert not set(stem) & set('/\\:*?"<>|\0\n')
    assert stem.strip(". ") == stem
    assert len(stem.encode()) < 200


@given(ANY_TEXT, ANY_TEXT)
def test_two_ids_never_share_a_name(one, other):
    assert (safe_stem(one) == safe_stem(other)) == (one == other)


@given(ANY_TEXT)
def test_a_safe_name_is_a_safe_path(name):
    assert is_safe_path(safe_stem(name))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("coco/train/1.jpg", "coco/train/1.jpg"),
        ("./1.jpg", "./1.jpg"),
        ("/etc/passwd", "images/7-0.png"),
        ("../1.jpg", "images/7-0.png"),
        ("a/../../1.jpg", "images/7-0.png"),
        ("C:\\1.jpg", "images/7-0.png"),
        ("https://example.com/1.jpg", "images/7-0.png"),
        ("a//1.jpg", "images/7-0.png"),
        ("", "images/7-0.png"),
        (b"\x89PNG", "images/7-0.png"),
    ],
)
def test_an_image_stays_where_the_record_says_if_that_is_safe(own, expected):
    assert image_name(Record("7", (), (own,)), 0, ".png") == expected


def test_images_of_one_record_have_names_of_their_own():
    record = Record("a/b", (), (b"1", b"2"))
    names = {image_name(record, index, ".jpg") for index in (0, 1)}
    assert len(names) == 2
    assert all(is_safe_path(name) for name in names)
