"""Selections of the harbour that are being looked at."""

from __future__ import annotations

import shutil

import pytest

from ig4.core.engine.browsing.browsed import BrowsedSelection
from ig4.core.engine.browsing.library import Library
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store


@pytest.fixture
def docked(harbour):
    """A session on a copy of the database of the harbour."""
    with Store.open(harbour / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


@pytest.fixture(scope="module")
def moored(harbour_made, tmp_path_factory):
    """A session on a copy of that database, for all tests of a module that change nothing."""
    folder = tmp_path_factory.mktemp("moored")
    shutil.copytree(harbour_made / "ig4-vectors", folder / "ig4-vectors")
    shutil.copy(harbour_made / "ig4.db", folder)
    with Store.open(folder / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


@pytest.fixture(scope="module")
def opened(moored):
    """Open one of its selections by number."""
    library = Library(moored, 1)
    kept: dict[int, BrowsedSelection] = {}

    def _opened(number):
        if number not in kept:
            kept[number] = library.get(str(number))
        return kept[number]

    return _opened
