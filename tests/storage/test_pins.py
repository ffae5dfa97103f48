"""Pins: what was said last of a sample counts; a mixture has those of its members."""

from __future__ import annotations

import pytest

from ig4.storage import datasets, membership, pins
from ig4.storage.membership import Member

from .test_views import make


@pytest.fixture
def cats(store):
    with store.writing() as connection:
        return make(connection, "cats", ["1", "2", "3"])


def listed(store, dataset):
    with store.reading() as connection:
        assert pins.count(connection, dataset) >= len(pins.list_all(connection, dataset))
        return [(one.external_id, one.keep, one.note) for one in pins.list_all(connection, dataset)]


def test_pins_are_listed_in_the_order_of_the_data_set_as_they_were_said_last(store, cats):
    with store.writing() as connection:
        pins.put(connection, cats, [3, 1], keep=True, note="a fine one")
        pins.put(connection, cats, [1, 1], keep=False)
        pins.put(connection, cats, [], keep=False)
    assert listed(store, cats) == [("1", False, None), ("3", True, "a fine one")]
    with store.writing() as connection:
        assert pins.remove(connection, cats, [2, 3]) == 1
    assert listed(store, cats) == [("1", False, None)]


def test_what_is_said_in_a_mixture_counts_there_before_what_is_said_in_its_members(store, cats):
    with store.writing() as connection:
        boats = make(connection, "boats", ["1"])
        mixture = membership.put(connection, "both", [Member(boats, "boats"), Member(cats, "cats")])
        pins.put(connection, cats, [1, 2], keep=True)
        pins.put(connection, mixture, [1, 4], keep=False)
    assert listed(store, mixture) == [
        ("boats/1", False, None), ("cats/1", False, None), ("cats/2", True, None),
    ]  # fmt: skip
    assert listed(store, cats) == [("1", True, None), ("2", True, None)]
    assert listed(store, boats) == []


def test_a_sample_that_was_removed_from_its_data_set_has_no_pin(store, cats):
    with store.writing() as connection:
        pins.put(connection, cats, [1], keep=True)
        rows = [(cats, "1", None, 1, "q", "a", None, "{}", None, None, None, None)]
        datasets.put_samples(connection, rows)
    assert listed(store, cats) == []
