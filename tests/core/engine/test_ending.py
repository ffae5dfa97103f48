"""How a stage ended that did not come to its end: failed with its error, or interrupted."""

from __future__ import annotations

import pytest

from ig4.core.engine.ending import error_text, record_failure
from ig4.core.errors import DatasetError


@pytest.fixture
def endings():
    return []


@pytest.fixture
def finish(endings):
    def _finish(connection, number, status, /, *, error=None):
        assert connection.in_transaction()
        endings.append((number, status, error))

    return _finish


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (DatasetError("an image is gone"), (7, "failed", "an image is gone")),
        (ValueError("not a number"), (7, "failed", "ValueError: not a number")),
        (KeyboardInterrupt(), (7, "interrupted", None)),
    ],
)
def test_what_ended_a_stage_is_recorded_and_raised(session, finish, endings, error, ending):
    with pytest.raises(type(error)), record_failure(session, finish, 7):
        raise error
    assert endings == [ending]


def test_a_stage_that_comes_to_its_end_records_nothing_here(session, finish, endings):
    with record_failure(session, finish, 7):
        pass
    assert endings == []


def test_an_error_is_stored_whatever_characters_it_holds():
    text = error_text(DatasetError("a\0b\ud800" + "x" * 5000))
    assert text.startswith("a\N{SYMBOL FOR NULL}b?")
    assert len(text) == 2000
