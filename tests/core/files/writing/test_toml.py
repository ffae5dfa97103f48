"""What is written as TOML is read as the same values."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from ig4.core.files.writing.toml import toml_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)


def without_empty_tables(value):
    if not isinstance(value, dict):
        return value
    inner = {key: without_empty_tables(one) for key, one in value.items()}
    return {key: one for key, one in inner.items() if one != {}}


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_tables_are_read_as_they_were(tables):
    read = tomllib.loads("\n".join(toml_lines(tables)))
    assert without_empty_tables(read) == without_empty_tables(tables)


def test_none_is_left_out_and_control_characters_are_escaped():
    lines = list(toml_lines({"select": {"size": None, "name": "a\x9bb\x7f"}}))
    assert lines == ["[select]", 'name = "a\\u009bb\\u007f"', ""]
