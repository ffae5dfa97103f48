"""A database that may not be written, in a folder that may not either, can still be looked at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ig4.storage.errors import StorageError
from ig4.storage.store import Store

from ..harbour import QUOTA


@pytest.fixture
def shelf(harbour):
    """The folder of a database that was made read-only, with all in it."""
    for one in harbour.iterdir():
        if one.is_file():
            one.chmod(0o444)
    harbour.chmod(0o555)
    yield harbour
    harbour.chmod(0o755)


def visitor(*arguments, cwd, quiet=True):
    """Run ig4 as somebody to whom permissions apply, also where the tests run as root."""
    prefix = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and there is no setpriv")
        prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    command = [*prefix, sys.executable, "-m", "ig4", *arguments, *(["-q"] if quiet else [])]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "selections", "selections show 1", "compare 1 2", "select --explain harbour-022", "runs",
        "plot weights", "report 1 --no-images --out {tmp}/page.html",
    ],
)  # fmt: skip
def test_what_only_reads_needs_no_right_to_write(shelf, tmp_path, command):
    words = command.format(tmp=tmp_path).split()
    done = visitor(*words, "--db", "ig4.db", cwd=shelf)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert sorted(one.name for one in shelf.iterdir()) == ["ig4-vectors", "ig4.db"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["1", "all"])
def test_an_export_is_written_and_not_recorded(shelf, tmp_path, what):
    done = visitor(
        "export", tmp_path / "out", "--selection", what, "--db", "ig4.db", cwd=shelf, quiet=False
    )
    assert done.returncode == 0, done.stderr
    assert "this export is not recorded: " in done.stderr
    assert "can be read, not written" in done.stderr
    shelf.chmod(0o755)
    (shelf / "ig4.db").chmod(0o644)
    again = visitor(
        "export", tmp_path / "again", "--selection", what, "--db", "ig4.db", cwd=shelf, quiet=False
    )
    assert "not recorded" not in again.stderr
    assert files(tmp_path / "again") == files(tmp_path / "out")
    assert files(tmp_path / "out")


def files(folder):
    return {one.relative_to(folder): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.slow
def test_what_writes_says_that_it_may_not(shelf):
    done = visitor("select", "--size", "3", "--db", "ig4.db", cwd=shelf)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_changes_while_it_is_read_as_it_stands_is_told(harbour, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    with Store.open(harbour / "ig4.db") as store:
        with store.reading() as connection:
            sql = f"SELECT count(*) FROM selected_samples WHERE selection_id = {QUOTA}"
            assert connection.exec_driver_sql(sql).scalar() == 12
        os.utime(harbour / "ig4.db", ns=(1, 1))
        with pytest.raises(StorageError, match="was changed by another program"), store.reading():
            pass
