"""A folder of vector files belongs to one database, and one process at a time moves vectors."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import make_url

from ig4.storage import settings, workers
from ig4.storage.admin import backup
from ig4.storage.errors import StorageError
from ig4.storage.integrity.check import check_database
from ig4.storage.store import Store
from ig4.storage.vectors import placing
from ig4.storage.vectors.exclusion import moving_alone
from ig4.storage.vectors.folder import VectorFolderError
from ig4.storage.vectors.moving import IMAGES, move
from ig4.storage.vectors.ownermark import MARK, read_mark
from ig4.storage.vectors.placing import compact, forget_lost, move_back, move_into
from ig4.storage.vectors.report import describe_vectors

from ..conftest import database
from .conftest import SIZE, Vectors, files


def test_a_second_database_is_refused_the_folder_of_another_that_is_empty_yet(
    store, folder, tmp_path
):
    move_into(store, folder)
    assert files(folder) == []
    with Store.open(tmp_path / "second.db") as second:
        with pytest.raises(StorageError, match="for the vectors of another database"):
            move_into(second, folder)
        assert describe_vectors(second).folder is None
    move_into(store, folder, 10 * SIZE)


def test_of_two_databases_at_a_time_one_gets_the_folder(store, folder, tmp_path, monkeypatch):
    """The second one looks into the folder before the first has marked it."""
    with Store.open(tmp_path / "second.db") as second:
        require, others = placing._require_own, [second]

        def and_another(*given):
            require(*given)
            if others:
                move_into(others.pop(), folder)

        monkeypatch.setattr(placing, "_require_own", and_another)
        with pytest.raises(StorageError, match="for the vectors of another database"):
            move_into(store, folder)
        assert describe_vectors(second).folder == folder


def test_a_folder_within_one_of_vector_files_is_refused(store, outside, folder, tmp_path):
    with Store.open(tmp_path / "second.db") as second:
        for one in (store, second):
            with pytest.raises(StorageError, match=", where vectors of a database lie"):
                move_into(one, folder / "more" / "still")
        with pytest.raises(StorageError, match="is not empty"):
            move_into(second, tmp_path)
    assert describe_vectors(store).strays == []
    outside.check()


def test_the_mark_goes_with_the_last_vector(store, outside, folder, tmp_path):
    assert read_mark(folder) is not None
    assert describe_vectors(store).strays == []
    move_back(store)
    assert not folder.exists()
    with Store.open(tmp_path / "second.db") as second:
        move_into(second, folder)


def test_a_copy_made_with_cp_removes_no_file_of_the_original(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    with (
        closing(sqlite3.connect(tmp_path / "ig4.db")) as original,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        original.backup(copy)
    with Store.open(tmp_path / "copy.db") as copied:
        works = (move_back, compact, lambda store: move_into(store, tmp_path / "other"))
        for work in works:
            with pytest.raises(StorageError, match=r"is a copy of .*ig4\.db"):
                work(copied)
        vectors.store = copied
        vectors.check()
    vectors.store = sqlite_store
    vectors.check()
    (tmp_path / "ig4.db").rename(tmp_path / "gone")
    with Store.open(tmp_path / "copy.db") as copied:  # it is the only one by now
        assert move_back(copied).vectors


@pytest.mark.postgres
def test_a_copy_that_a_server_made_removes_no_file_of_the_original(postgres, template, tmp_path):
    with database(postgres, template) as url:
        with Store.open(url) as store:
            vectors = Vectors(store).put(20)
            move_into(store, tmp_path / "files", 10 * SIZE)
        with database(postgres, make_url(url).database) as other, Store.open(other) as copied:
            for work in (move_back, compact):
                with pytest.raises(StorageError, match="looks like a copy of"):
                    work(copied)
            vectors.store = copied
            vectors.check()
        with Store.open(url) as store:
            vectors.store = store
            vectors.check()
            assert move_back(store).vectors == 32


def test_a_backup_and_its_database_have_folders_of_their_own(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    saved = backup(tmp_path / "ig4.db", tmp_path / "before.db")
    assert check_database(saved.path).sound
    with pytest.raises(StorageError, match="for the vectors of another database"):
        move_into(sqlite_store, saved.vectors)
    move_back(sqlite_store)
    with Store.open(saved.path) as store:
        vectors.store = store
        vectors.check()
        assert move_back(store).vectors == 32


def test_a_folder_that_is_not_mounted_is_no_empty_one(store, outside, folder, location):
    """An empty folder is what a machine shows in the place of what is not mounted."""
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()
    outside.put(20, start=50)
    store.vectors.close()
    with pytest.raises(VectorFolderError, match="what is there now is another folder"):
        outside.check()
    with pytest.raises(VectorFolderError, match="New vectors stay in the database"):
        move(store, IMAGES, outside.component)
    assert files(folder) == []
    report = check_database(location)
    assert not report.sound
    assert not any(one.rows for one in report.damage)
    folder.rmdir()
    folder.with_name("elsewhere").rename(folder)
    outside.check()


def test_the_folder_of_another_database_in_its_place_is_told(store, outside, folder, tmp_path):
    with Store.open(tmp_path / "second.db") as second:
        move_into(second, tmp_path / "theirs")
    folder.rename(folder.with_name("elsewhere"))
    (tmp_path / "theirs").rename(folder)
    store.vectors.close()
    with pytest.raises(VectorFolderError, match=r"are those of .*second\.db"):
        outside.check()


def test_a_folder_that_is_gone_is_not_made_anew(store, outside, folder):
    shutil.rmtree(folder)
    outside.put(20, start=50)
    with pytest.raises(VectorFolderError, match="New vectors stay in the database"):
        move(store, IMAGES, outside.component)
    assert not folder.exists()


def test_a_folder_that_was_renamed_is_found_by_its_new_name(store, outside, folder, tmp_path):
    folder.rename(tmp_path / "renamed")
    store.vectors.close()
    move_into(store, tmp_path / "renamed")
    outside.check()
    assert len(files(tmp_path / "renamed")) == 8
    assert describe_vectors(store).folder == tmp_path / "renamed"


def test_vectors_of_a_folder_that_is_gone_for_good_can_be_computed_again(
    store, outside, folder, location
):
    outside.put(20, start=50)
    with pytest.raises(StorageError, match="is there, so its vectors are not lost"):
        forget_lost(store)
    shutil.rmtree(folder)
    assert forget_lost(store) == 80
    assert check_database(location).sound
    images, inputs = outside.read()
    assert len(images) == len(inputs) == 14 + 20 - 4
    assert describe_vectors(store).folder is None


def test_a_folder_that_a_killed_process_has_left_full_is_emptied_by_the_next(
    store, outside, folder, tmp_path, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(placing, "_remove", stop)
        with pytest.raises(KeyboardInterrupt):
            move_into(store, tmp_path / "other")
    outside.check()
    assert describe_vectors(store).left == folder
    assert len(files(folder)) == 8
    compact(store)
    assert not folder.exists()
    assert describe_vectors(store).left is None
    outside.check()


def test_files_that_lie_in_the_folder_again_are_not_removed(
    store, outside, folder, tmp_path, monkeypatch
):
    """One process was stopped before it emptied the old folder; another has moved back there."""
    with monkeypatch.context() as patch:
        patch.setattr(placing, "_remove", lambda *_: None)
        move_into(store, tmp_path / "other")
        move_into(store, folder)
    with store.writing() as connection:
        settings.put(connection, settings.VECTOR_LEFT, str(folder))
    placing._empty_left(store)
    store.vectors.close()
    outside.check()


def test_vectors_that_another_process_has_moved_meanwhile_are_not_looked_for_where_they_were(
    store, outside, folder, tmp_path, monkeypatch
):
    """The second one leaves the folder that the first one lets them be in."""
    mark, moved = placing._mark, []

    def and_move(*given):
        found = mark(*given)
        if not moved:
            moved.append(True)
            move_into(store, tmp_path / "other")
        return found

    monkeypatch.setattr(placing, "_mark", and_move)
    with pytest.raises(StorageError, match="Another process has moved"):
        move_into(store, folder)
    outside.check()
    assert describe_vectors(store).folder == tmp_path / "other"


def test_one_process_at_a_time_moves_vectors(store):
    with store.writing() as connection:
        for worker in ("one", "two"):
            workers.record_heartbeat(connection, worker, "host", 1, None, 1)
    second = moving_alone(store, "two")
    with (
        moving_alone(store, "one"),
        pytest.raises(StorageError, match="Another process moves the vectors"),
        second,
    ):
        pass
    with moving_alone(store, "two"):
        pass
    with store.writing() as connection:
        settings.put(connection, settings.VECTOR_MOVER, "killed, and forgotten")
    with moving_alone(store, "two"):
        pass


def test_a_mark_that_cannot_be_read_is_told(store, folder):
    folder.mkdir()
    (folder / MARK).write_text("{")
    with pytest.raises(StorageError, match="does not say whose vectors lie there"):
        move_into(store, folder)
