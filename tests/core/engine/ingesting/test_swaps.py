"""Files of records that are replaced by links to other places while a data set is read."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.errors import DatasetError
from ig4.core.events import StageStarted
from ig4.core.records import Choice, Record, Turn

from ...conftest import record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")

FILES = {
    "llava": "llava.json",
    "jsonl": "data.jsonl",
    "csv": "data.csv",
    "parquet": "data.parquet",
    "hf": "data-00000-of-00001.arrow",
}
"""The file of records that a format writes into a folder: one format for each way to open it."""


def write(session, name, folder, answer):
    """Make a folder of one record; without pyarrow the test is skipped where that needs it."""
    if name in ("parquet", "hf"):
        pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    form = session.host.build(Choice("format", name))
    record = Record("a", (Turn("user", "What?"), Turn("assistant", answer)), (), None)
    form.open()
    form.write([record], folder)


def texts(session):
    with session.store.reading() as connection:
        return [row[0] for row in connection.execute(text("SELECT answer FROM samples"))]


def swapped(session, path, swap):
    """Ingest a folder that `swap` changes after it was checked, before it is read."""

    def swap_when_it_begins(event):
        if isinstance(event, StageStarted):
            swap()

    session.listeners.append(swap_when_it_begins)
    return ingest(session, DatasetSource(path, name="set"))


@pytest.mark.parametrize("name", FILES)
def test_records_that_became_a_link_to_elsewhere_are_not_read(session, tmp_path, name):
    write(session, name, tmp_path / "set", "public")
    write(session, name, tmp_path / "outside", "secret")

    def swap():
        (tmp_path / "set" / FILES[name]).unlink()
        (tmp_path / "set" / FILES[name]).symlink_to(tmp_path / "outside" / FILES[name])

    with pytest.raises(DatasetError, match=r"it lies outside .*a link|no file of this format"):
        swapped(session, tmp_path / "set", swap)
    assert texts(session) == []


@pytest.mark.parametrize("name", FILES)
def test_nor_are_those_that_became_one_after_their_header_was_read(
    session, tmp_path, monkeypatch, name
):
    write(session, name, tmp_path / "set", "public")
    write(session, name, tmp_path / "outside", "secret")
    form = type(session.host.build(Choice("format", name)))

    def read_and_swap(self, path, real=form.header):
        header = real(self, path)
        (tmp_path / "set" / FILES[name]).unlink()
        (tmp_path / "set" / FILES[name]).symlink_to(tmp_path / "outside" / FILES[name])
        return header

    monkeypatch.setattr(form, "header", read_and_swap)
    with pytest.raises(DatasetError, match=r"it lies outside .*a link|no file of this format"):
        ingest(session, DatasetSource(tmp_path / "set", name="set"))
    assert texts(session) == []


def test_neither_is_a_folder_on_the_way_to_them(session, tmp_path):
    folder = tmp_path / "set" / "train"
    write(session, "hf", folder, "public")
    write(session, "hf", tmp_path / "outside", "secret")
    (tmp_path / "set" / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))

    def swap():
        shutil.move(folder, tmp_path / "away")
        folder.symlink_to(tmp_path / "outside")

    with pytest.raises(DatasetError, match=r"it lies outside .*a link"):
        swapped(session, tmp_path / "set", swap)
    assert texts(session) == []


def test_a_folder_that_is_a_link_itself_is_the_users(session, tmp_path):
    write(session, "csv", tmp_path / "real", "public")
    (tmp_path / "set").symlink_to("real")
    assert ingest(session, DatasetSource(tmp_path / "set")).samples == 1


def test_a_link_to_another_file_of_the_folder_is_read(session, folder):
    folder.write(record("a", "one"))

    def swap():
        shutil.move(folder.path, folder.path.with_suffix(".moved"))
        folder.path.symlink_to(folder.path.with_suffix(".moved").name)

    assert swapped(session, folder.path.parent, swap).samples == 1
