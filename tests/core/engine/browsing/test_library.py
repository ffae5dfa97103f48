"""Selections that are looked at stay in memory, but not longer than they are true."""

from __future__ import annotations

import json

import pytest

from ig4.core.engine.browsing.library import Library
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.errors import UsageError
from ig4.storage import selections

from ....harbour import QUOTA, TOPK, record, write_data


@pytest.fixture
def library(docked):
    return Library(docked, QUOTA)


def test_a_selection_is_opened_once(library):
    assert library.get() is library.get(str(QUOTA)) is not library.get(str(TOPK))


def test_one_that_was_deleted_is_an_error_in_a_sentence(library, docked):
    library.get()
    with docked.store.writing() as connection:
        selections.remove(connection, QUOTA)
    with pytest.raises(UsageError, match="there is no selection 1 any more"):
        library.get()
    assert library.get(str(TOPK)).view.selection.id == TOPK


def test_a_data_set_that_was_read_anew_is_told_until_it_is_opened_anew(library, docked, tmp_path):
    assert len(library.get().view) == 80
    path = write_data(tmp_path / "again")
    path.write_text(json.dumps([record(n) for n in range(30)]), encoding="utf-8")
    ingest(docked, DatasetSource(path, name="harbour", replace=True))
    with pytest.raises(UsageError, match=r"harbour was read anew since .* press Reload"):
        library.get()
    library.forget()
    assert len(library.get().view) == 30
