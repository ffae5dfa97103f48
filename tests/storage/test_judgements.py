"""Judgements and verdicts, in SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from ig4.storage import judgements, runs

JUDGE = runs.ComponentRow("judge", "gpt", "ig4", "1", {"model": "m"}, "f" * 32)


@pytest.fixture
def begin(store):
    """Begin a judgement of some inputs; return its id."""

    def begun(inputs="one", first="a"):
        with store.writing() as connection:
            return judgements.begin(
                connection, component_id=runs.component_id(connection, JUDGE), name="mine",
                first=first, second="b", inputs=inputs, pairs=2, run_id=None,
            )  # fmt: skip

    return begun


def put(store, number, *rows):
    with store.writing() as connection:
        judgements.put_verdicts(connection, number, rows)


def test_equal_inputs_go_on_and_others_begin_anew(store, begin):
    assert (begin(), begin("two"), begin(first="renamed")) == (1, 2, 1)
    with store.reading() as connection:
        assert [row.first for row in judgements.list_all(connection)] == ["renamed", "a"]
        assert judgements.find(connection, "two") == 2
        assert judgements.find(connection, "none") is None


def test_verdicts_come_back_as_they_were_and_are_replaced_not_doubled(store, begin):
    good = ("p1", True, "conv", 8.5, 9.0, "because", None)
    bad = ("p1", False, "conv", None, None, None, "no reply")
    put(store, begin(), good, bad)
    with store.reading() as connection:
        assert judgements.verdicts(connection, 1) == [bad, good]
    put(store, 1, ("p1", False, "conv", 7.0, 7.0, "", None))
    with store.reading() as connection:
        assert [row[3] for row in judgements.verdicts(connection, 1)] == [7.0, 8.5]


def test_failures_are_forgotten_and_nothing_else(store, begin):
    good = ("p1", False, "", 8.0, 9.0, "", None)
    put(store, begin(), good, ("p1", True, "", None, None, None, "no reply"))
    put(store, begin("two"), ("p1", True, "", None, None, None, "no reply"))
    with store.writing() as connection:
        judgements.delete_failures(connection, 1)
    with store.reading() as connection:
        assert judgements.verdicts(connection, 1) == [good]
        assert len(judgements.verdicts(connection, 2)) == 1


def test_how_it_ended_is_kept_with_its_summary(store, begin):
    put(store, begin(), ("p1", False, "", None, None, None, "no reply"))
    with store.writing() as connection:
        judgements.finish(connection, 1, "partial", summary={"failed": 1})
        judgements.finish(connection, 1, "failed", error="no key")
    with store.reading() as connection:
        (row,) = judgements.list_all(connection, 1)
    assert (row.status, row.error, row.summary) == ("failed", "no key", {"failed": 1})
    assert (row.name, row.options, row.verdicts, row.failed) == ("mine", {"model": "m"}, 1, 1)
    assert row.finished_at is not None
    begin()
    with store.reading() as connection:
        (row,) = judgements.list_all(connection, 1)
    assert (row.status, row.error, row.finished_at) == ("running", None, None)
