"""A record names other images, and nothing else in it changes, however its reader finds them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.files.images.names import rename_images, rename_texts
from ig4.core.records import Record, Turn
from ig4.plugins.formats.jsonl import JsonLines
from ig4.plugins.formats.llava import Llava
from ig4.plugins.formats.sharegpt import ShareGPT

TALK = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "/data/a.jpg"}]
PARTS = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/data/a.jpg"}},
                                 {"type": "text", "text": "What?"}]},
    {"role": "assistant", "content": "This."},
]  # fmt: skip


def parser(cls):
    parse = cls(cls.Options()).written_parser(None)
    return lambda raw: parse(raw, 0)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"id": "/data/a.jpg", "images": ["/data/a.jpg"], "messages": TALK},
         {"id": "/data/a.jpg", "images": ["new/0"], "messages": TALK}),
        ({"images": "/data/a.jpg", "messages": TALK, "source": "/data/a.jpg"},
         {"images": "new/0", "messages": TALK, "source": "/data/a.jpg"}),
        ({"images": [{"path": "/data/a.jpg"}, "/data/a.jpg"], "messages": TALK},
         {"images": [{"path": "new/0"}, "new/1"], "messages": TALK}),
        ({"messages": PARTS},
         json.loads(json.dumps({"messages": PARTS}).replace("/data/a.jpg", "new/0"))),
    ],
)  # fmt: skip
def test_only_the_places_of_images_change(raw, expected):
    parse = parser(ShareGPT)
    before = json.dumps(raw)
    names = [f"new/{n}" for n in range(len(parse(raw).images))]
    assert rename_images(raw, names, parse) == expected
    assert json.dumps(raw) == before


def test_names_may_change_places():
    raw = {"images": ["a.jpg", "b.jpg"], "messages": TALK}
    assert rename_images(raw, ["b.jpg", "a.jpg"], parser(ShareGPT))["images"] == ["b.jpg", "a.jpg"]


def test_a_list_in_a_text_stays_one():
    raw = {"id": "1", "image": '["/a \\"x\\".jpg", "/b.jpg"]', "answer": "yes"}
    named = rename_images(raw, ["n/0.jpg", "n/1.jpg"], parser(JsonLines))
    assert named == {**raw, "image": '["n/0.jpg", "n/1.jpg"]'}


def test_bytes_stay_where_they_are():
    raw = {"images": ["data:image/png;base64,AAAA", "/b.jpg"], "messages": TALK}
    named = rename_images(raw, [b"", "n.jpg"], parser(ShareGPT))
    assert named["images"] == ["data:image/png;base64,AAAA", "n.jpg"]


def test_what_cannot_be_named_gives_none():
    parse = parser(Llava)
    assert rename_images({"image": ["a"], "conversations": []}, ["x", "y"], parse) is None
    assert rename_images([1, 2], ["x"], parse) is None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4),
    st.dictionaries(st.text(max_size=5), st.text(max_size=6), max_size=3),
)
def test_any_names_can_be_changed(names, extra):
    raw = {"extra": extra, "images": names, "messages": TALK}
    parse = parser(ShareGPT)
    images = parse(raw).images
    if len(images) < len(names) or any(isinstance(image, bytes) for image in images):
        return  # a blank name is no image, and a data URL is no name
    new = [f"images/{n}.png" for n in range(len(names))]
    named = rename_images(raw, new, parse)
    # Blanks around a name stay, and are no part of it.
    assert parse(named).images == tuple(new)
    assert {**named, "images": names} == raw


def test_without_a_reader_only_what_is_certain_is_changed():
    record = Record("1", (Turn("user", "q"), Turn("assistant", "a")), ("x.jpg", "y.jpg"))
    raw = {"id": "1", "pics": ["x.jpg", "y.jpg"]}
    assert rename_texts(raw, record._replace(raw=raw), ["1.jpg", "2.jpg"]) == {
        "id": "1", "pics": ["1.jpg", "2.jpg"],
    }  # fmt: skip
    twice = {**raw, "also": "x.jpg"}
    assert rename_texts(twice, record._replace(raw=twice), ["1.jpg", "2.jpg"]) is None
    assert rename_texts(raw, record._replace(id="x.jpg", raw=raw), ["1.jpg", "2.jpg"]) is None
