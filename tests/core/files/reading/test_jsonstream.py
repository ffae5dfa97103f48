"""Streaming JSON: what `json.load` reads, record by record, with the place of every fault."""

import json
import math
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def small_pieces(monkeypatch):
    """Cut files into pieces of a few characters, so that everything lies across a border."""
    monkeypatch.setattr(jsonstream, "_PIECE", 5)


@pytest.mark.slow
@given(st.lists(VALUES, max_size=8), st.sampled_from([None, 1, "\t"]), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_list_gives_what_json_load_gives(tmp_path, small_pieces, values, indent, ascii_only):
    file = tmp_path / "a.json"
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    file.write_bytes(text.encode("utf-8", "replace"))
    assert list(jsonstream.list_items(file)) == json.loads(file.read_text("utf-8"))


@pytest.mark.slow
@given(st.dictionaries(ANY_TEXT, VALUES | st.lists(VALUES), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_object_gives_its_members_in_order(tmp_path, small_pieces, value):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")
    assert list(jsonstream.members(file)) == list(value.items())


def test_numbers_no_other_streaming_parser_takes_are_kept(tmp_path, small_pieces):
    file = tmp_path / "a.json"
    file.write_text("[123456789012345678901234567890, 1e400, -Infinity, NaN, 1E2]")
    values = list(jsonstream.list_items(file))
    assert values[:3] == [123456789012345678901234567890, math.inf, -math.inf]
    assert math.isnan(values[3])
    assert values[4] == 100.0


def test_a_lone_surrogate_stays_what_it_is(tmp_path, small_pieces):
    file = tmp_path / "a.json"
    file.write_text('["\\ud800", "\\ud83d\\ude00"]')
    assert list(jsonstream.list_items(file)) == ["\ud800", "😀"]


def test_a_list_inside_an_object_is_streamed_and_the_rest_is_its_outline(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"info": {"n": 1}, "annotations": [{"a": 1}, {"a": 2}], "end": [1]}')
    assert list(jsonstream.nested_items(file, "annotations")) == [{"a": 1}, {"a": 2}]
    outline = jsonstream.outline(file, "annotations")
    assert json.dumps(outline) == '{"info": {"n": 1}, "annotations": [], "end": [1]}'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[\n {"a": 1},\n {"a" 2}\n]', r"line 3, column 7"),
        ('[\n {"a": 1}\n {"a": 2}\n]', r"line 3, column 2: .*expecting ',' or '\]'"),
        ('[{"a": 1}] []', r"line 1, column 12: .*should end here"),
        ('[{"a": tru}]', r"line 1, column 8"),
        ('[\n1,\n"tab\there"]', r"line 3, column 5: .*control character"),
    ],
)
def test_a_fault_is_found_by_line_and_column(tmp_path, monkeypatch, text, place):
    file = tmp_path / "bad.json"
    file.write_text(text)
    for piece in (3, 1 << 20):  # the place must not depend on how the file was cut
        monkeypatch.setattr(jsonstream, "_PIECE", piece)
        with pytest.raises(DatasetError, match=rf"bad\.json: {place}"):
            list(jsonstream.list_items(file))


@pytest.mark.parametrize(("keep", "whole"), [(1, 0), (9, 0), (20, 1), (31, 2)])
def test_a_truncated_file_says_so_after_giving_what_is_whole(tmp_path, keep, whole):
    file = tmp_path / "cut.json"
    file.write_text('[\n {"a": "one"},\n {"a": "two"}\n]'[:keep])
    items = jsonstream.list_items(file)
    given = []
    with pytest.raises(DatasetError, match=r"line \d, column \d+: .*cut off"):
        given.extend(items)
    assert given == [{"a": "one"}, {"a": "two"}][:whole]


@pytest.mark.parametrize("text", ['[{"a": 1, "b', '[{"a": tr', '[{"a"', '["a\\u00', '[1, "conv\n'])
def test_a_file_that_could_go_on_may_be_cut_off(tmp_path, text):
    file = tmp_path / "cut.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match="cut off"):
        list(jsonstream.list_items(file))


@pytest.mark.parametrize("text", ['[{"a" "b"}]', '[{"a": 1,}]', "[tru]", '[{"a": 1 2}]\n'])
def test_a_file_that_is_whole_but_wrong_near_its_end_is_not_called_cut_off(tmp_path, text):
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match="not valid JSON") as told:
        list(jsonstream.list_items(file))
    assert "cut off" not in str(told.value)


def test_an_error_in_a_line_names_its_number(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n\n{"a": 2\n')
    with pytest.raises(DatasetError, match="line 3, column 8"):
        list(jsonstream.lines(file))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_file_is_called_empty(tmp_path, text):
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match="is empty"):
        list(jsonstream.list_items(file))


def test_absurd_depth_and_absurd_integers_are_errors_with_a_place(tmp_path):
    file = tmp_path / "a.json"
    for text in ("[" * 100_000, "[" + "9" * 5000 + "]"):
        file.write_text(text)
        with pytest.raises(DatasetError, match="line 1"):
            list(jsonstream.list_items(file))


@pytest.mark.parametrize(
    ("name", "text", "layout"),
    [
        ("a.json", ' [{"a": 1}]', "list"),
        ("a.json", '{"a": 1}', "object"),
        ("a.json", '{"a": [\n1]}', "object"),
        ("a.json", '{"a": 1}\n{"a": 2}\n', "lines"),
        ("a.jsonl", '{"a": 1}', "lines"),
        ("a.json", "\ufeff[1]", "list"),
        ("a.txt", "id,caption", None),
        ("a.json", "", None),
    ],
)
def test_the_layout_is_told_by_content(tmp_path, name, text, layout):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    assert jsonstream.layout(file) == layout


def test_memory_does_not_grow_with_the_file(tmp_path):
    file = tmp_path / "a.json"
    record = json.dumps({"id": "x", "text": "word " * 200})
    file.write_text("[" + ",\n".join([record] * 16_000) + "]")
    assert file.stat().st_size > 16_000_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in jsonstream.list_items(file)) == 16_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_record_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(jsonstream, "MAX_RECORD", 3 << 20)
    path = tmp_path / name
    long = json.dumps({"id": "b", "image": "A" * (5 << 20)})
    first = json.dumps({"id": "a"})
    path.write_text(f"{first}\n{long}\n" if name == "a.jsonl" else f"[{first},\n{long}]")
    records = jsonstream.records(path)
    assert next(records) == {"id": "a"}
    with pytest.raises(DatasetError, match=r"line 2.*a record is longer than"):
        next(records)
