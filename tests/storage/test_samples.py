"""Samples are found by what they say."""

from __future__ import annotations

import pytest

from ig4.storage import datasets, samples

SAID = ["A red BARN", "Мир и труд", "Straße, 100% wool_blend", "ÉTÉ", "plain"]


@pytest.fixture
def dataset(store):
    with store.writing() as connection:
        row = datasets.put(
            connection, "said", path="x", format="f", options={}, image_root=None, header=None
        )
        contents = datasets.content_ids(connection, SAID)
        datasets.put_samples(
            connection,
            [
                (row.id, f"s{place}", place, contents[one], f"q{place}", one, None, "{}", None,
                 None, None, None)
                for place, one in enumerate(SAID)
            ],
        )  # fmt: skip
    return row.id


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["barn"], [0]), (["Red", "BARN"], [0]), (["red", "plain"], []), (["S4"], [4]),
        (["100%"], [2]), (["%"], [2]), (["l_b"], [2]), (["a_r"], []), (["x" * 70_000], []),
    ],
)  # fmt: skip
def test_words_are_found_in_any_case_and_marks_are_themselves(store, dataset, words, found):
    assert _found(store, dataset, words) == found


@pytest.mark.parametrize(
    ("word", "found"),
    [("МИР", [1]), ("мир", [1]), ("été", [3]), ("straße", [2]), ("ё", []), ("é" * 70_000, [])],
)
def test_so_are_words_of_other_scripts(store, dataset, word, found):
    if not store.is_sqlite:
        pytest.skip("the server here knows the case of ASCII alone (locale C)")
    assert _found(store, dataset, [word]) == found


def _found(store, dataset, words):
    with store.reading() as connection:
        rows = samples.by_id(connection, samples.ids_saying(connection, dataset, words).tolist())
    return [int(row.external_id.removeprefix("s")) for row in rows]
