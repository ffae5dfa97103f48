"""Copies of a score database: equal to it in every row, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from sqlalchemy import func, insert, make_url, select, text

from ig4.core.engine.checking import check
from ig4.storage import calls, workers
from ig4.storage.calls import CallOutcome
from ig4.storage.copying import copy as copying
from ig4.storage.copying.copy import copy_database
from ig4.storage.errors import DatabaseMissingError, SchemaVersionError, StorageError
from ig4.storage.schema import Base, Content, Dataset, ImageFile, Run
from ig4.storage.store import Store
from ig4.storage.transfer.rows import TableDigest, read_rows
from ig4.storage.transfer.source import open_source

NOT_COPIED = ("score_claims", "llm_workers", "vector_files", "settings")


def contents_of(location) -> dict[str, tuple[int, str]]:
    """Return the number and digest of the rows of each table that is copied."""
    found = {}
    with open_source(location) as source:
        for table in Base.metadata.sorted_tables:
            if table.name in NOT_COPIED:
                continue
            digest = TableDigest()
            for rows in read_rows(source.connection, table):
                digest.add(rows)
            found[table.name] = digest.rows, digest.value
    return found


@pytest.fixture
def original(harbour):
    """A database with scores, imports, clusters, groups, selections and runs."""
    return harbour / "ig4.db"


def test_a_copy_to_a_server_and_back_has_the_same_rows(original, location, tmp_path):
    before = contents_of(original)
    copy_database(original, location)
    assert contents_of(location) == before
    back = tmp_path / "back" / "ig4.db"
    back.parent.mkdir()
    copy_database(location, back)
    assert contents_of(back) == before
    assert sum(rows for rows, _ in before.values()) > 500


def test_a_copy_is_sound(original, location):
    copy_database(original, location)
    report = check(location)
    assert report.sound
    assert report.verified == check(original).verified


def test_a_copy_has_the_views(original, location):
    copy_database(original, location)
    with Store.open(original) as one, Store.open(location, create=False) as other:
        statement = text("SELECT * FROM scores_wide ORDER BY external_id")
        with one.reading() as before, other.reading() as after:
            first, second = (c.execute(statement).mappings().all() for c in (before, after))
    assert first
    for row, same in zip(first, second, strict=True):
        assert {k: float(v) if k in ("selected",) else v for k, v in row.items()} == {
            k: float(v) if k in ("selected",) else v for k, v in same.items()
        }


def test_new_rows_of_a_copy_get_new_ids(original, location):
    copy_database(original, location)
    with Store.open(location, create=False) as store, store.writing() as connection:
        highest = connection.scalar(select(func.max(Content.id)))
        added = connection.scalar(insert(Content).values(hash="new").returning(Content.id))
    assert added == highest + 1


def test_the_result_tells_rows_and_digests(original, location):
    result = copy_database(original, location).to_dict()
    found = contents_of(location)
    assert result["rows"] == {name: rows for name, (rows, _) in found.items()}
    assert result["digests"] == {name: digest for name, (_, digest) in found.items()}


def test_a_database_that_holds_something_is_no_target(original, store, location):
    with store.writing() as connection:
        connection.execute(insert(Content).values(hash="mine"))
    with pytest.raises(StorageError, match=r"is not empty \(it has contents\).*ig4 db merge"):
        copy_database(original, location)
    assert contents_of(location)["contents"][0] == 1


def test_a_database_that_is_new_is_a_target(original, store, location):
    copy_database(original, location)
    assert contents_of(location) == contents_of(original)


def test_a_database_of_another_program_is_no_target(original, tmp_path):
    path = tmp_path / "recipes.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(StorageError, match="another program"):
        copy_database(original, path)


def test_what_is_not_there_is_not_copied(tmp_path):
    with pytest.raises(DatabaseMissingError):
        copy_database(tmp_path / "none.db", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_an_older_database_says_which_command_upgrades_it(original, tmp_path):
    with closing(sqlite3.connect(original)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")
    with pytest.raises(SchemaVersionError, match=rf"`ig4 db upgrade --db {original}`"):
        copy_database(original, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_folder_that_is_not_there_is_named(original, tmp_path):
    with pytest.raises(StorageError, match=r"make the folder .*nowhere first"):
        copy_database(original, tmp_path / "nowhere" / "copy.db")


def test_vectors_and_embedded_images_come_along(original, tmp_path):
    target = tmp_path / "copy" / "mine.db"
    target.parent.mkdir()
    with Store.open(original) as store:
        inside = store.image_folder / "ab" / ("ab" * 32)
        inside.parent.mkdir(parents=True)
        inside.write_bytes(b"a picture")
        (store.vector_folder / "space.npy").write_bytes(b"vectors")
        with store.writing() as connection:
            dataset = connection.scalar(select(Dataset.id))
            values = {"dataset_id": dataset, "name": f"sha256:{inside.name}", "embedded": True}
            connection.execute(insert(ImageFile).values(values | {"path": str(inside)}))
    result = copy_database(original, target)
    copied = tmp_path / "copy" / "mine-images" / "ab" / ("ab" * 32)
    assert copied.read_bytes() == b"a picture"
    assert copied.stat().st_mtime_ns == inside.stat().st_mtime_ns
    assert (tmp_path / "copy" / "mine-vectors" / "space.npy").read_bytes() == b"vectors"
    assert result.images.copied == 1
    with Store.open(target) as store, store.reading() as connection:
        path = connection.scalar(select(ImageFile.path).where(ImageFile.embedded.is_(True)))
    assert path == str(copied)


def test_numbers_and_texts_of_every_kind_stay_what_they_are(tmp_path, location):
    path = tmp_path / "odd.db"
    with Store.open(path) as store, store.writing() as connection:
        values = {"path": "", "format": "x", "options": {"b": 1, "a": [1e-300, "é\u2028", None]}}
        for n, header in enumerate((None, 5, 1e20, "text", [1], {"z": 0.1, "a": "'"})):
            row = values | {
                "name": f"d{n}",
                "header": header,
                "created_at": func.current_timestamp(),
            }
            connection.execute(insert(Dataset).values(row))
        connection.execute(text("UPDATE datasets SET created_at = '2024-02-29 23:59:59.000001'"))
        run = {"command": "x", "config": {}, "versions": {}, "status": "done", "seed": 2**62}
        started = connection.scalar(select(Dataset.created_at))
        connection.execute(insert(Run).values(run | {"started_at": started}))
    copy_database(path, location)
    back = tmp_path / "back.db"
    copy_database(location, back)
    assert contents_of(path) == contents_of(location) == contents_of(back)


@pytest.mark.slow
def test_a_copy_that_is_killed_leaves_nothing_and_can_be_made_anew(original, location):
    with Store.open(original) as store, store.writing() as connection:
        rows = [{"hash": f"{n:064x}"} for n in range(300_000)]
        connection.execute(insert(Content), rows)
    script = (
        "import sys\n"
        "from ig4.storage.copying.copy import copy_database\n"
        "print('go', flush=True)\n"
        "copy_database(*sys.argv[1:])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(original), location], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    copy_database(original, location)
    assert contents_of(location) == contents_of(original)


def test_of_two_copies_to_one_new_file_at_a_time_the_first_stays(original, tmp_path, monkeypatch):
    target, copy, others = tmp_path / "copy.db", copying._copy, [True]

    def after_another(*given):
        if others:
            others.pop()
            copy_database(original, target)
        return copy(*given)

    monkeypatch.setattr(copying, "_copy", after_another)
    with pytest.raises(StorageError, match="is not empty"):
        copy_database(original, target)
    assert contents_of(target) == contents_of(original)


def test_a_copy_whose_file_another_process_took_away_is_no_copy(original, tmp_path, monkeypatch):
    target, finish = tmp_path / "copy.db", copying._finish

    def and_remove(connection):
        finish(connection)
        target.unlink()

    monkeypatch.setattr(copying, "_finish", and_remove)
    with pytest.raises(StorageError, match="was taken away"):
        copy_database(original, target)


def test_a_copy_that_fails_leaves_no_new_file_and_no_other_one_less(
    original, tmp_path, monkeypatch
):
    def fail(*_):
        raise StorageError("no")

    monkeypatch.setattr(copying, "_copy", fail)
    (tmp_path / "mine.db").touch()
    for name in ("new.db", "mine.db"):
        with pytest.raises(StorageError, match="no"):
            copy_database(original, tmp_path / name)
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".db"] == ["mine.db"]


def test_a_password_is_not_told(original, postgres, tmp_path):
    url = make_url(postgres).set(password="hush", database="ig4_none_there")
    with pytest.raises(StorageError) as raised:
        copy_database(original, url.render_as_string(hide_password=False))
    assert "hush" not in str(raised.value)


def test_requests_on_their_way_stay_with_the_original(original, location):
    rows = [
        {"request_hash": name, "provider": "test", "model": "m", "component_id": None,
         "run_id": None} for name in ("sent", "answered")
    ]  # fmt: skip
    with Store.open(original) as store, store.writing() as connection:
        workers.record_heartbeat(connection, "w", "far", 7, None, 1)
        calls.claim(connection, "w", rows)
        calls.record(connection, [CallOutcome("answered", calls.DONE, "87", cost=0.5)])
    assert copy_database(original, location).tables["llm_calls"].rows == 1
    with Store.open(location, create=False) as store, store.writing() as connection:
        assert workers.list_all(connection) == []
        assert list(calls.claim(connection, "v", rows)) == ["answered"]
    with Store.open(original) as store, store.reading() as connection:
        assert calls.lookup(connection, ["sent"])["sent"].worker == "w"


def test_the_folders_of_a_copy_can_be_others_than_the_variables_name(
    original, tmp_path, monkeypatch
):
    monkeypatch.setenv("IG4_IMAGES", str(tmp_path / "all-images"))
    monkeypatch.setenv("IG4_VECTORS", str(tmp_path / "all-vectors"))
    inside = tmp_path / "all-images" / "ab" / ("ab" * 32)
    inside.parent.mkdir(parents=True)
    inside.write_bytes(b"a picture")
    (tmp_path / "all-vectors").mkdir()
    (tmp_path / "all-vectors" / "space.npy").write_bytes(b"vectors")
    with Store.open(original) as store, store.writing() as connection:
        dataset = connection.scalar(select(Dataset.id))
        values = {"dataset_id": dataset, "name": f"sha256:{inside.name}", "embedded": True}
        connection.execute(insert(ImageFile).values(values | {"path": str(inside)}))
    images, vectors = tmp_path / "home" / "images", tmp_path / "home" / "vectors"
    copy_database(original, tmp_path / "copy.db", images=images, vectors=vectors)
    copied = images / "ab" / inside.name
    assert copied.read_bytes() == b"a picture"
    assert (vectors / "space.npy").read_bytes() == b"vectors"
    with Store.open(tmp_path / "copy.db") as store, store.reading() as connection:
        path = connection.scalar(select(ImageFile.path).where(ImageFile.embedded.is_(True)))
    assert path == str(copied)
