"""A cache of its own for every test, and no waiting between tries."""

import pytest

from ig4.core.files.remote import fetching, web


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "wait_seconds", lambda error, tries: 0.01)
    fetching._unreached.clear()
    return tmp_path / "cache"
