"""A folder of its own in which the library for browsers is kept, made once."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def kept(tmp_path_factory):
    """The folder; no test writes to that of the user."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "ig4"
