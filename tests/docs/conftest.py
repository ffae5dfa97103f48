"""The folder in which blocks of commands run."""

from __future__ import annotations

import shutil

import pytest

from ig4.core.contracts import Benchmark

from . import stage


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """The folder of the stand-ins, and a copy of it as it was made."""
    folder, copy = tmp_path_factory.mktemp("stage"), tmp_path_factory.mktemp("copy") / "stage"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("IG4_DB", raising=False)
        stage.build(folder, stage.invoke)
    shutil.copytree(folder, copy, symlinks=True)
    return folder, copy


@pytest.fixture
def scratch(prepared, monkeypatch, llm_server):
    """That folder as it was made, as the working directory: a database keeps paths.

    Language models are asked of the test server.
    """
    folder, copy = prepared
    shutil.rmtree(folder)
    shutil.copytree(copy, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("IG4_DB", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    # Models of random weights never come to an end by themselves.
    monkeypatch.setattr(Benchmark, "max_new_tokens", stage.TOKENS)
    return folder
