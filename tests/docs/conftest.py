"""The folder in which blocks of commands run."""

from __future__ import annotations

import shutil

import pytest

from . import stage


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """The stand-ins, made once; blocks get a copy."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("IG4_DB", raising=False)
        stage.build(folder, stage.invoke)
    return folder


@pytest.fixture
def scratch(prepared, tmp_path, monkeypatch, llm_server):
    """A copy of them, as the working directory; language models are asked of the test server."""
    folder = tmp_path / "scratch"
    shutil.copytree(prepared, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("IG4_DB", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return folder
