"""Vectors stay right where processes are killed or meet, and files are not what they were."""

from __future__ import annotations

import sys

import pytest

from ig4.storage import workers
from ig4.storage.admin import backup
from ig4.storage.errors import StorageError
from ig4.storage.integrity.check import check_database
from ig4.storage.integrity.repair import repair_damage
from ig4.storage.merging.merge import merge
from ig4.storage.store import Store
from ig4.storage.vectors import placing, reading
from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.exclusion import moving_alone
from ig4.storage.vectors.moving import IMAGES, TABLES, move
from ig4.storage.vectors.placing import compact, move_back, move_into
from ig4.storage.vectors.report import describe_vectors

from .conftest import SIZE, Vectors, files


def test_what_a_killed_move_has_left_does_not_stand_in_the_way(store, outside, folder):
    whole = files(folder)[0].with_name("0" * 32 + ".parquet")
    whole.write_bytes(b"not committed")
    half = whole.with_name(f".{whole.name}.17.part")
    half.write_bytes(b"half")
    outside.put(20, start=50)
    assert move_into(store, folder, 10 * SIZE).vectors == 32
    outside.check()
    assert describe_vectors(store).strays == [half, whole]


def test_what_a_killed_copy_to_another_folder_has_left_does_not_either(
    store, outside, folder, tmp_path
):
    part = tmp_path / "other" / files(folder)[0].relative_to(folder)
    part = part.with_name(f"{part.name}.17.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    move_into(store, tmp_path / "other")
    outside.check()


def test_a_process_that_reads_meets_new_files_after_others_have_compacted(sqlite_store, tmp_path):
    """SQLite gives the ids of deleted files to new ones."""
    vectors = Vectors(sqlite_store).put(10)
    move_into(sqlite_store, tmp_path / "files", 1 << 20)
    with Store.open(tmp_path / "ig4.db") as other:
        vectors.store = other
        vectors.check()
        move_back(sqlite_store)
        with sqlite_store.writing() as connection:
            connection.exec_driver_sql("DELETE FROM embeddings WHERE image_id = 2")
        vectors.images.pop(2)
        move_into(sqlite_store, tmp_path / "files", 1 << 20)
        vectors.check()


def test_a_file_that_another_process_adds_while_files_are_copied_moves_too(
    store, outside, folder, tmp_path, monkeypatch
):
    outside.put(10, start=50)
    copy, added = placing.copy_file, []

    def copy_and_add(*given):
        if not added:
            added.append(move(store, IMAGES, outside.component))
        return copy(*given)

    monkeypatch.setattr(placing, "copy_file", copy_and_add)
    move_into(store, tmp_path / "other")
    assert added[0].files
    outside.check()
    assert not folder.exists()


def test_compaction_that_was_killed_is_completed(store, vectors, folder, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    vectors.put(10)
    move_into(store, folder, 8 * SIZE)  # one file of each table, of which half dies
    with store.writing() as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table.__tablename__} WHERE file_row > 3")
    with monkeypatch.context() as patch:
        patch.setattr(placing, "move", stop)
        with pytest.raises(KeyboardInterrupt):
            compact(store)
    assert sum(one.inside for one in describe_vectors(store).places) == 4
    compact(store)
    assert sum(one.inside for one in describe_vectors(store).places) == 0
    assert sum(one.outside for one in describe_vectors(store).places) == 8


def test_files_of_which_all_vectors_were_deleted_are_removed(store, outside, folder):
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM embeddings")
        connection.exec_driver_sql("DELETE FROM input_embeddings")
    compact(store)
    assert files(folder) == []


@pytest.mark.parametrize("name", ["image_folder", "vector_folder"])
def test_folders_of_other_files_of_ig4_are_refused(store, vectors, name):
    with pytest.raises(StorageError, match="is for other files of ig4"):
        move_into(store, getattr(store, name) / "mine")
    assert describe_vectors(store).folder is None


def test_a_folder_named_by_a_way_round_is_found_without_it(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(10)
    move_into(sqlite_store, tmp_path / "gone" / ".." / "files")
    assert describe_vectors(sqlite_store).folder == tmp_path / "files"
    assert not (tmp_path / "gone").exists()
    vectors.check()


def test_a_database_under_another_name_has_the_same_folder(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(10)
    move_into(sqlite_store, tmp_path / "files")
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "linked.db"
    link.symlink_to(tmp_path / "ig4.db")
    with Store.open(link) as store:
        vectors.store = store
        vectors.check()
        move_into(store, tmp_path / "links" / "other")
    vectors.store = sqlite_store
    vectors.check()
    saved = backup(link, tmp_path / "saved.db")
    assert len(files(saved.vectors)) == 2


def test_a_damaged_vector_stays_in_the_database_when_all_move(sqlite_store, tmp_path):
    vectors = Vectors(sqlite_store).put(10)
    with sqlite_store.writing() as connection:
        connection.exec_driver_sql("UPDATE embeddings SET vector = x'010203' WHERE image_id = 2")
        connection.exec_driver_sql("UPDATE embeddings SET vector = x'' WHERE image_id = 3")
    move_into(sqlite_store, tmp_path / "files")
    (images, inputs) = describe_vectors(sqlite_store).places
    assert (images.inside, images.outside, inputs.inside, inputs.outside) == (2, 6, 0, 8)
    assert vectors.inputs


def test_a_backup_leaves_nothing_where_the_list_of_files_was_changed(sqlite_store, tmp_path):
    Vectors(sqlite_store).put(20)
    move_into(sqlite_store, tmp_path / "files", 10 * SIZE)
    with sqlite_store.writing() as connection:
        connection.exec_driver_sql("UPDATE vector_files SET name = '../x' WHERE id = 2")
    with pytest.raises(StorageError, match="no name of a vector file"):
        backup(tmp_path / "ig4.db", tmp_path / "before.db")
    assert [one.name for one in tmp_path.iterdir() if "before" in one.name] == []


def test_a_merge_counts_vectors_whose_files_are_gone_or_damaged(store, tmp_path):
    with Store.open(tmp_path / "other.db") as other:
        Vectors(other).put(50)
        move_into(other, tmp_path / "theirs", 10 * SIZE)
        with other.reading() as connection:
            names = connection.exec_driver_sql(
                "SELECT name FROM vector_files WHERE key = 'digest' ORDER BY id"
            ).scalars()
            gone, cut, *_ = [tmp_path / "theirs" / name for name in names]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:200])
    tally = merge(store, tmp_path / "other.db").of("input_embeddings")
    assert (tally.taken, tally.damaged) == (30, 20)


def test_a_file_in_the_place_of_another_is_not_read(store, outside, folder, location):
    first, second, *_ = files(folder)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(StorageError, match=r"is another file of vectors .*: bring its own back"):
        outside.check()
    second.write_bytes(data)
    store.vectors.close()
    damage = check_database(location).damage
    assert sum(len(one.rows) for one in damage) == 20
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert check_database(location).sound


def test_what_reads_while_vectors_move_finds_them_where_they_lie_then(
    store, outside, folder, tmp_path, location
):
    tries = []

    def read(connection):
        tries.append(connection)
        if len(tries) == 1:
            with Store.open(location) as other:
                move_into(other, tmp_path / "other")
            raise VectorFileError("gone")
        wanted = list(outside.images)
        return dict(reading.of_images(connection, store.vectors, outside.component, wanted))

    assert reading.read_anew(store, read).keys() == outside.images.keys()
    assert len(tries) == 2


def test_a_repair_deletes_no_vectors_that_have_only_moved(
    store, outside, folder, location, tmp_path
):
    gone, *others = files(folder)
    gone.unlink()
    for one in others:
        one.rename(one.with_suffix(".away"))
    damage = check_database(location).damage  # as a check sees it while they move
    assert sum(len(one.rows) for one in damage) == 80
    for one in others:
        one.with_suffix(".away").rename(one)
    assert repair_damage(location, damage) == 10
    assert check_database(location).sound


def test_nothing_is_repaired_while_a_process_moves_vectors(store, outside, folder, location):
    files(folder)[0].unlink()
    with store.writing() as connection:
        workers.record_heartbeat(connection, "mover", "host", 1, None, 1)
    with moving_alone(store, "mover"):
        report = check_database(location)
        assert any("another process moves vectors now" in note for note in report.notes)
        with pytest.raises(StorageError, match="nothing was repaired"):
            repair_damage(location, report.damage)
    assert repair_damage(location, report.damage) == 10


def test_a_merge_replaces_vectors_here_whose_files_are_gone_or_damaged(
    store, location, folder, tmp_path
):
    with Store.open(tmp_path / "other.db") as other:
        Vectors(other).put(50)
    merge(store, tmp_path / "other.db")
    own = Vectors(store).put(50)
    move_into(store, folder, 10 * SIZE)
    with store.reading() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM vector_files WHERE key = 'digest' ORDER BY id"
        ).scalars()
        gone, cut, *_ = [folder / name for name in names]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:200])
    store.vectors.close()
    planned = merge(store, tmp_path / "other.db", dry_run=True)
    result = merge(store, tmp_path / "other.db")
    for tally in (planned.of("input_embeddings"), result.of("input_embeddings")):
        assert (tally.replaced, tally.equal, tally.conflicts) == (20, 30, 0)
    assert any("20 of the vectors here" in note for note in result.notes)
    own.check()
    assert check_database(location).sound
    assert merge(store, tmp_path / "other.db").of("input_embeddings").equal == 50


@pytest.mark.parametrize("whose", ["here", "there"])
def test_a_merge_without_the_folder_of_either_ends_before_anything_is_written(
    store, folder, tmp_path, whose
):
    with Store.open(tmp_path / "other.db") as other:
        Vectors(other, "another").put(10)
        Vectors(other, "more").put(10)
        move_into(other, tmp_path / "theirs")
    Vectors(store).put(10)
    move_into(store, folder)
    (folder if whose == "here" else tmp_path / "theirs").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="which this machine does not see"):
        merge(store, tmp_path / "other.db")
    with store.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM components").scalar()
    assert count == 1


def test_a_row_that_is_no_number_is_told_without_a_traceback(store, outside, location):
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE embeddings SET file_row = NULL WHERE file_row = 3")
    for work in (outside.check, lambda: move_back(store)):
        with pytest.raises(StorageError, match="does not say in which row"):
            work()
    damage = check_database(location).damage
    assert sum(len(one.rows) for one in damage if one.table == "embeddings") == 4


def test_without_pyarrow_the_database_stays_as_it_is(store, vectors, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StorageError, match="need pyarrow"):
        move_into(store, folder)
    assert describe_vectors(store).folder is None
    assert not folder.exists()


def test_a_file_that_is_gone_is_told_with_what_to_do(store, outside, folder):
    for one in files(folder):
        one.unlink()
    with pytest.raises(StorageError, match=r"is not there: bring it back, or let `ig4 db check"):
        outside.check()
