"""Vectors move into files and stay what they were, whoever moves them and whatever breaks."""

from __future__ import annotations

import threading

import pytest

from ig4.storage import settings, sizes
from ig4.storage.errors import ConnectionLostError, StorageError
from ig4.storage.integrity.check import check_database
from ig4.storage.store import Store
from ig4.storage.vectors import moving
from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.moving import IMAGES, INPUTS, TABLES, VectorMover, move

from .conftest import DIMENSIONS, SIZE, Vectors, files


@pytest.fixture
def folder(store, tmp_path):
    """The folder that the database names for its vector files."""
    with store.writing() as connection:
        settings.put(connection, settings.VECTOR_FOLDER, str(tmp_path / "files"))
        settings.put(connection, settings.VECTOR_FILE_BYTES, str(10 * SIZE))
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def count(store, condition, table="embeddings"):
    with store.reading() as connection:
        return connection.exec_driver_sql(
            f"SELECT count(*) FROM {table} WHERE {condition}"
        ).scalar()


def test_without_a_folder_all_stay_in_the_database(store, vectors):
    vectors.put(30)
    mover = VectorMover(store)
    mover.add(IMAGES, vectors.component, 10**9)
    mover.finish()
    assert count(store, "file_id IS NOT NULL") == 0


def test_all_that_is_read_is_what_was_stored(store, vectors, folder):
    vectors.put(64)
    for table in TABLES:
        moved = move(store, table, vectors.component)
        assert (moved.vectors, moved.files) == (51, 6)  # ten in a file; each fifth one failed
    assert count(store, "length(vector) > 0") == 0
    assert count(store, "length(vector) > 0", "input_embeddings") == 0
    vectors.check()
    with Store.open(store.engine.url.render_as_string(hide_password=False)) as other:
        vectors.store = other
        vectors.check()


def test_errors_stay_in_the_database(store, vectors, folder):
    vectors.put(10)
    move(store, IMAGES, vectors.component)
    assert count(store, "error IS NOT NULL AND file_id IS NULL") == 2


def test_a_mover_moves_when_a_file_is_full_and_little_stays_at_the_end(store, vectors, folder):
    mover = VectorMover(store)
    vectors.put(10)
    mover.add(IMAGES, vectors.component, 8 * SIZE)
    assert not files(folder)
    vectors.put(10, start=10)
    mover.add(IMAGES, vectors.component, 8 * SIZE)
    assert len(files(folder)) == 1  # of ten, while six wait
    mover.finish()
    assert len(files(folder)) == 2
    vectors.put(1, start=21)
    with store.writing() as connection:
        settings.put(connection, settings.VECTOR_FILE_BYTES, str(32 * SIZE))
    mover = VectorMover(store)
    mover.add(IMAGES, vectors.component, SIZE)
    mover.finish()
    assert count(store, "file_id IS NULL AND error IS NULL") == 1
    vectors.check()


def test_vectors_that_are_computed_anew_are_read_from_the_database_again(store, vectors, folder):
    vectors.put(20)
    move(store, IMAGES, vectors.component)
    vectors.put(20)
    assert count(store, "file_id IS NOT NULL") == 0
    vectors.check()


def test_vectors_of_other_lengths_go_into_files_of_their_own(store, vectors, folder):
    vectors.put(10)
    vectors.put(10, start=10, dimensions=3)
    moved = move(store, IMAGES, vectors.component)
    assert moved.vectors == 16
    assert moved.files == 2  # eight of each length
    vectors.check()


def test_two_components_have_files_of_their_own(store, vectors, folder):
    other = Vectors(store, "Some/../Name").put(10)
    vectors.put(10)
    for one in (other, vectors):
        move(store, IMAGES, one.component)
    assert sorted(path.parent.name for path in files(folder)) == [
        "Some-Name-SomeName0123", "clip-clip01234567",
    ]  # fmt: skip
    vectors.check()
    other.check()


def test_the_database_tells_of_each_file(store, vectors, folder):
    vectors.put(20)
    move(store, INPUTS, vectors.component)
    with store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, dimensions, rows, bytes FROM vector_files ORDER BY id"
        ).all()
    assert [(d, n) for _, d, n, _ in rows] == [(DIMENSIONS, 10), (DIMENSIONS, 6)]
    assert {folder / name for name, *_ in rows} == set(files(folder))
    assert all(size == (folder / name).stat().st_size for name, _, _, size in rows)


def test_the_size_of_a_vector_is_known_when_all_lie_in_files(store, vectors, folder):
    vectors.put(5)
    move(store, IMAGES, vectors.component)
    move(store, INPUTS, vectors.component)
    with store.reading() as connection:
        assert sizes.vector_bytes(connection, "clip-0123456789abcdef") == SIZE


def test_what_cannot_be_written_stays_in_the_database(store, vectors, folder):
    vectors.put(20)
    folder.rmdir()
    folder.write_text("not a folder")
    with pytest.raises(StorageError, match="stay in the database"):
        move(store, IMAGES, vectors.component)
    vectors.check()
    assert count(store, "file_id IS NOT NULL") == 0


def test_a_file_of_a_transaction_that_failed_is_removed(store, vectors, folder, monkeypatch):
    def fail(*_):
        raise StorageError("the disk is full")

    vectors.put(20)
    monkeypatch.setattr(moving, "_point", fail)
    with pytest.raises(StorageError, match="full"):
        move(store, IMAGES, vectors.component)
    assert not files(folder)
    vectors.check()


def test_a_file_stays_where_nobody_knows_whether_its_rows_were_committed(
    store, vectors, folder, monkeypatch
):
    """The rows may refer to it."""
    vectors.put(20)
    writing = store.writing

    class Unanswered:
        def __enter__(self):
            self.inner = writing()
            return self.inner.__enter__()

        def __exit__(self, *failed):
            self.inner.__exit__(*failed)
            raise ConnectionLostError("the connection broke")

    monkeypatch.setattr(store, "writing", Unanswered)
    with pytest.raises(ConnectionLostError):
        move(store, IMAGES, vectors.component)
    monkeypatch.undo()
    assert len(files(folder)) == 1
    vectors.check()
    assert move(store, IMAGES, vectors.component).vectors == 6
    vectors.check()


def test_several_move_at_once_and_each_vector_once(store, vectors, folder):
    vectors.put(200)
    url = store.engine.url.render_as_string(hide_password=False)
    moved, failed = [], []

    def work():
        try:
            with Store.open(url) as own:
                moved.append(move(own, IMAGES, vectors.component).vectors)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    move(store, IMAGES, vectors.component)  # what all left to one that was done already
    assert not failed
    assert count(store, "file_id IS NULL AND error IS NULL") == 0
    assert count(store, "file_id IS NOT NULL") == 160
    assert sum(moved) <= 160
    vectors.check()


def test_a_file_that_is_gone_is_told_by_its_name(store, vectors, folder):
    vectors.put(20)
    move(store, IMAGES, vectors.component)
    files(folder)[0].unlink()
    with pytest.raises(VectorFileError, match=r"\.parquet is not there"):
        vectors.check()


def test_a_folder_that_cannot_be_seen_is_told_and_no_vector_counts_as_lost(
    store, location, vectors, folder
):
    vectors.put(20)
    move(store, IMAGES, vectors.component)
    move(store, INPUTS, vectors.component)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(StorageError, match="does not see: mount it"):
        vectors.check()
    report = check_database(location)
    assert {one.table for one in report.damage} == {"embeddings", "input_embeddings"}
    assert not any(one.rows for one in report.damage)
    folder.with_name("elsewhere").rename(folder)
    assert check_database(location).sound


@pytest.mark.parametrize("name", ["../out.parquet", "/etc/passwd", "a/b.parquet"])
def test_a_name_that_leads_out_of_the_folder_is_not_followed(store, vectors, folder, name):
    vectors.put(5)
    move(store, IMAGES, vectors.component)
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE vector_files SET name = '{name}'")
    with pytest.raises(VectorFileError, match="no name of a vector file"):
        vectors.check()


def test_files_that_moved_while_they_were_open_are_found_again(store, vectors, folder):
    vectors.put(30)
    move(store, IMAGES, vectors.component)
    vectors.check()
    store.vectors.close()
    folder.rename(folder.with_name("other"))
    with store.writing() as connection:
        settings.put(connection, settings.VECTOR_FOLDER, str(folder.with_name("other")))
    vectors.check()


def test_a_sqlite_file_gives_the_room_of_moved_vectors_to_new_ones(sqlite_store, tmp_path):
    """A row whose vector is only emptied would keep its page, which no other row would fill."""
    with sqlite_store.writing() as connection:
        settings.put(connection, settings.VECTOR_FOLDER, str(tmp_path / "files"))
        settings.put(connection, settings.VECTOR_FILE_BYTES, str(100 * 4096))
    (tmp_path / "files").mkdir()
    mover, vectors = VectorMover(sqlite_store), Vectors(sqlite_store)
    used = []
    for start in range(0, 2000, 200):
        vectors.put(200, start=start, dimensions=1024)
        for table in TABLES:
            mover.add(table, vectors.component, 160 * 4096)
        used.append(_used_bytes(sqlite_store))
    assert used[-1] < 2 * used[0]  # a tenth of all was there then
    vectors.check()


def _used_bytes(store):
    with store.reading() as connection:
        pages, page = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("page_count", "page_size")
        )
    return pages * page
