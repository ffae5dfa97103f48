"""Where vectors lie is decided for the whole database, and all move there and back."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from ig4.storage import claims, datasets
from ig4.storage.admin import backup
from ig4.storage.claims import Span
from ig4.storage.copying.copy import copy_database
from ig4.storage.errors import StorageError
from ig4.storage.integrity.check import check_database
from ig4.storage.integrity.repair import repair_damage
from ig4.storage.merging.merge import merge
from ig4.storage.store import Store
from ig4.storage.vectors import placing
from ig4.storage.vectors.moving import IMAGES, TABLES, move
from ig4.storage.vectors.placing import compact, move_back, move_into
from ig4.storage.vectors.report import describe_vectors

from .conftest import SIZE, Vectors, files


def places(store):
    return {one.table: one for one in describe_vectors(store).places}


def test_a_database_holds_its_vectors_itself_at_first(store, vectors):
    vectors.put(10)
    report = describe_vectors(store)
    assert report.folder is None
    assert [(one.table, one.inside, one.inside_bytes, one.outside) for one in report.places] == [
        ("embeddings", 8, 8 * SIZE, 0), ("input_embeddings", 8, 8 * SIZE, 0),
    ]  # fmt: skip


def test_all_move_into_files(store, outside, folder):
    one = places(store)["embeddings"]
    assert (one.inside, one.outside, one.files, one.dead) == (0, 40, 4, 0)
    assert len(files(folder)) == 8
    outside.check()


def test_all_move_back_and_the_folder_goes(store, outside, folder, location):
    moved = move_back(store)
    assert (moved.vectors, moved.files) == (80, 8)
    assert not folder.exists()
    assert places(store)["embeddings"].inside == 40
    outside.check()
    outside.put(10, start=100)
    assert describe_vectors(store).folder is None
    assert check_database(location).sound


def test_files_move_to_another_folder(store, outside, folder, tmp_path):
    outside.check()  # so that files are open
    move_into(store, tmp_path / "more" / "other")
    assert not folder.exists()
    assert len(files(tmp_path / "more" / "other")) == 8
    outside.check()
    assert describe_vectors(store).folder == tmp_path / "more" / "other"


def test_moving_that_was_interrupted_is_completed(store, outside, folder, tmp_path, monkeypatch):
    put = placing.settings.put

    def stop(connection, name, value):
        if name == placing.settings.VECTOR_FOLDER:
            raise KeyboardInterrupt
        put(connection, name, value)

    with monkeypatch.context() as patch:
        patch.setattr(placing.settings, "put", stop)
        with pytest.raises(KeyboardInterrupt):
            move_into(store, tmp_path / "other")
    outside.check()
    move_into(store, tmp_path / "other")
    outside.check()
    assert not folder.exists()


def test_moving_back_that_was_interrupted_is_completed(store, outside, folder, monkeypatch):
    bring, calls = placing.bring_back, []

    def once(*given):
        calls.append(given)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return bring(*given)

    with monkeypatch.context() as patch:
        patch.setattr(placing, "bring_back", once)
        with pytest.raises(KeyboardInterrupt):
            move_back(store)
    outside.check()
    move_back(store)
    outside.check()
    assert not folder.exists()


def test_a_folder_with_other_files_is_refused(store, vectors, folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"not empty \(it has notes.txt\)"):
        move_into(store, folder)
    assert describe_vectors(store).folder is None


def test_a_folder_beside_a_sqlite_file_moves_with_it(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with Store.open(home / "ig4.db") as store:
        vectors = Vectors(store).put(10)
        move_into(store, home / "files")
    home.rename(tmp_path / "moved")
    with Store.open(tmp_path / "moved" / "ig4.db") as store:
        vectors.store = store
        vectors.check()


def test_nothing_moves_while_a_process_computes_scores(store, outside, folder):
    with store.writing() as connection:
        row = datasets.put(
            connection, "d", path="p", format="f", options={}, image_root=None, header=None
        )
        claims.put(connection, row.id, "worker", [Span(outside.component, 0, 9)])
    for work in (move_back, compact, lambda store: move_into(store, folder)):
        with pytest.raises(StorageError, match="Other processes compute scores"):
            work(store)
    outside.check()


def test_small_files_are_joined(store, vectors, folder):
    move_into(store, folder, 20 * SIZE)
    for start in range(0, 60, 5):
        vectors.put(5, start=start)
        for table in TABLES:
            move(store, table, vectors.component)
    assert len(files(folder)) == 24
    compact(store)
    assert len(files(folder)) == 6  # 48 vectors in files of 20
    vectors.check()
    before = files(folder)
    compact(store)
    assert len(files(folder)) <= len(before)
    vectors.check()


def test_dead_rows_are_freed(store, outside, folder):
    outside.put(25)  # computed anew: these lie in the database
    one = places(store)["embeddings"]
    assert (one.inside, one.outside, one.dead) == (20, 20, 20)
    compact(store)
    rows = sum(one.rows for one in _rows(store))
    assert rows == 80
    assert len(_rows(store)) == len(files(folder))
    outside.check()


def _rows(store):
    with store.reading() as connection:
        return connection.exec_driver_sql("SELECT name, rows FROM vector_files").all()


def test_files_that_the_database_does_not_know_are_told_and_stay(store, outside, folder):
    """A process that was killed has left them, or `cp` made a copy of the database."""
    stray = files(folder)[0].with_name("0" * 32 + ".parquet")
    stray.write_bytes(b"half")
    assert describe_vectors(store).strays == [stray]
    for work in (compact, move_back):
        work(store)
        assert stray.read_bytes() == b"half"
    outside.check()


def test_a_check_verifies_vectors_in_files(store, outside, location):
    report = check_database(location)
    assert report.sound
    assert (report.verified["embeddings"], report.verified["vector_files"]) == (50, 8)


def test_damage_in_a_file_is_found_and_what_it_concerns_is_computed_again(
    store, outside, folder, location
):
    with store.reading() as connection:
        name = connection.exec_driver_sql(
            "SELECT name FROM vector_files JOIN embeddings ON file_id = vector_files.id"
        ).scalar()
    path = folder / name
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    store.vectors.close()
    report = check_database(location)
    assert [one.table for one in report.damage] == ["embeddings"]
    assert len(report.damage[0].rows) == 10  # all of its row group
    assert repair_damage(location, report.damage) == 10
    assert check_database(location).sound
    lost = {key for _, key in report.damage[0].rows}
    images, _ = outside.read()
    assert images.keys() == outside.images.keys() - lost


def test_a_file_that_is_gone_concerns_its_vectors_only(store, outside, folder, location):
    files(folder)[0].unlink()
    report = check_database(location)
    assert sum(len(one.rows) for one in report.damage) == 10


def test_a_changed_row_of_the_list_of_files_is_found(store, outside, location):
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE vector_files SET rows = 11 WHERE id = 1")
    assert "vector_files" in {one.table for one in check_database(location).damage}


def test_a_copy_holds_its_vectors_itself(store, outside, location, tmp_path):
    copy_database(location, tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db") as copied:
        assert describe_vectors(copied).folder is None
        outside.store = copied
        outside.check()
    assert check_database(tmp_path / "copy.db").sound


def test_a_backup_has_files_of_its_own(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    saved = backup(tmp_path / "ig4.db", tmp_path / "saved" / "before.db")
    assert saved.vectors == tmp_path / "saved" / "before.db-vector-files"
    move_back(sqlite_store)
    assert not (tmp_path / "files").exists()
    (tmp_path / "saved").rename(tmp_path / "kept")
    with Store.open(tmp_path / "kept" / "before.db") as store:
        vectors.store = store
        vectors.check()
    assert check_database(tmp_path / "kept" / "before.db").sound


def test_a_backup_that_is_given_up_leaves_no_files(sqlite_store, tmp_path):
    Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    files(tmp_path / "files")[0].unlink()
    with pytest.raises(StorageError, match="cannot be copied"):
        backup(tmp_path / "ig4.db", tmp_path / "before.db")
    assert sorted(one.name for one in tmp_path.iterdir() if "before" in one.name) == []


def test_a_backup_leaves_a_folder_that_is_there_as_it_is(sqlite_store, tmp_path):
    Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    mine = tmp_path / "before.db-vector-files" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(StorageError, match="cannot be copied"):
        backup(tmp_path / "ig4.db", tmp_path / "before.db")
    assert mine.read_text() == "mine"


def test_a_merge_takes_vectors_from_files_and_puts_them_into_files(store, folder, tmp_path):
    with Store.open(tmp_path / "other.db") as other:
        vectors = Vectors(other).put(50)
        move_into(other, tmp_path / "theirs", 10 * SIZE)
    move_into(store, folder, 10 * SIZE)
    result = merge(store, tmp_path / "other.db")
    assert result.of("input_embeddings").taken == 50
    own = Vectors(store)
    own.inputs = vectors.inputs
    own.check()
    assert len(files(folder)) >= 4
    again = merge(store, tmp_path / "other.db")
    assert again.of("input_embeddings").equal == 50
    assert again.of("input_embeddings").taken == 0
    own.check()


def test_merged_vectors_take_the_place_of_failures_only(store, folder, tmp_path):
    with Store.open(tmp_path / "other.db") as other:
        theirs = Vectors(other).put(10)
        move_into(other, tmp_path / "theirs", 10 * SIZE)
    own = Vectors(store).put(10)
    move_into(store, folder, 10 * SIZE)
    with store.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE input_embeddings SET vector = NULL, error = 'bad', file_id = NULL, crc = NULL"
        )
    merge(store, tmp_path / "other.db")
    assert places(store)["input_embeddings"].outside == 8
    own.images, own.inputs = {}, theirs.inputs
    _, found = own.read()
    assert {k for k, v in found.items() if not isinstance(v, str)} == {
        k for k, v in theirs.inputs.items() if not isinstance(v, str)
    }
    assert move(store, IMAGES, own.component).vectors == 0
