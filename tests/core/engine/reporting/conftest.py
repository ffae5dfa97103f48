"""A session on a copy of the harbour's database."""

from __future__ import annotations

import sys

import pytest

from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store


@pytest.fixture
def docked(harbour):
    """A session on the database of the harbour; its events are in `docked.listeners`' list."""
    with Store.open(harbour / "ig4.db") as store:
        yield Session(store, Host.discover(), [])


@pytest.fixture
def dataset(docked):
    """The data set `harbour`."""
    return docked.dataset("harbour")


@pytest.fixture
def no_charts(monkeypatch):
    """As where the extra `report` is not installed: pages are made at once, without charts."""
    monkeypatch.setitem(sys.modules, "altair", None)
