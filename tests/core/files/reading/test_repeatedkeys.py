"""A key that stands twice in an object is found, wherever it is, and is never silently the last."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.repeatedkeys import (
    RepeatedKeyError,
    RepeatedKeys,
    marked,
    refuse_repeated,
)

TEXTS = st.text(st.sampled_from('ab":{}, \\'), max_size=6)
VALUES = st.recursive(
    st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def found(text):
    value = marked(json.loads(text), text, 0, len(text))
    return value.key if type(value) is RepeatedKeys else None


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.sampled_from([None, 1]))
def test_no_key_is_found_where_none_repeats_whatever_the_texts_hold(value, indent):
    assert found(json.dumps(value, indent=indent)) is None


@given(st.dictionaries(TEXTS, VALUES, max_size=4), VALUES)
def test_a_repeated_key_is_found_beside_whatever_texts(value, other):
    inner = f'{{"key": 1, "other": {json.dumps(other)}, "key": 2}}'
    text = json.dumps({**value, "last": "here"}).replace('"here"', inner)
    assert found(text) == "key"


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"a":1,"b":[{"a":1},{"a" : 1,"a" :2}]}'])
def test_records_say_which_key_and_keep_the_last_value(tmp_path, text):
    for name, content in (("a.jsonl", text + "\n"), ("a.json", f"[{text}]")):
        (tmp_path / name).write_text(content)
        (value,) = jsonstream.records(tmp_path / name)
        assert (value, value.key) == (json.loads(text), "a")


def test_a_space_before_a_colon_hides_nothing():
    assert found('{"id":"x","id":"y","n" : 1}') == "id"


def test_a_row_of_a_table_with_two_values_for_a_column_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 1, "a": 2}\n')
    rows = jsonstream.rows(tmp_path / "a.jsonl", jsonstream.records(tmp_path / "a.jsonl"))
    assert next(rows) == {"a": 1}
    with pytest.raises(DatasetError, match="item 2: the key 'a' stands more than once"):
        next(rows)


def test_in_replies_equal_values_are_one_and_different_ones_none():
    assert json.loads('{"a": 1, "a": 1}', object_pairs_hook=refuse_repeated) == {"a": 1}
    with pytest.raises(RepeatedKeyError, match="'a' stands in it with two values"):
        json.loads('{"a": 1, "a": 2}', object_pairs_hook=refuse_repeated)
