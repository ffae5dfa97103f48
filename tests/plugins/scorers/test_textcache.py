"""Texts seen lately are remembered, within a number of bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ig4.plugins.scorers.textcache import EncodedText, TextCache

ONE = EncodedText(np.ones(100, np.float32), truncated=False)  # 400 bytes, and 400 around it


def test_what_was_added_is_found_again():
    cache = TextCache(10_000)
    cache.add({"a": ONE})
    assert cache.find(["a", "b"]) == {"a": ONE}


def test_the_text_not_used_for_longest_goes_first():
    cache = TextCache(2 * 804)
    cache.add({"a": ONE, "b": ONE})
    cache.find(["a"])
    cache.add({"c": ONE})
    assert set(cache.find("abc")) == {"a", "c"}


@given(st.lists(st.text(max_size=2000), unique=True), st.integers(0, 5000))
def test_it_never_grows_beyond_its_limit_and_counts_right(texts, limit):
    cache = TextCache(limit)
    for text in texts:
        cache.add({text: ONE})
        assert cache.bytes <= limit
    kept = cache.find(texts)
    assert cache.bytes == sum(800 + 4 * len(text) for text in kept)
