"""Reading data sets: what comes in, what is noticed, and what is refused."""

from __future__ import annotations

import io
import json
import random
import time
import tracemalloc

import pytest
from PIL import Image
from sqlalchemy import text

from ig4.core.engine.ingesting.files import ImageFileIndex
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import Notice
from ig4.storage import datasets

from ...conftest import record


def rows(session, columns="external_id, instruction, answer"):
    with session.store.reading() as connection:
        sql = f"SELECT {columns} FROM samples WHERE ordinal IS NOT NULL ORDER BY ordinal"
        return [tuple(row) for row in connection.execute(text(sql))]


@pytest.fixture
def told(session):
    """The notices of the session, as they come."""
    texts = []
    session.listeners = [lambda event: isinstance(event, Notice) and texts.append(event.text)]
    return texts


def test_a_record_becomes_a_sample(session, folder, read):
    folder.write(record("a", "An answer.", instruction="A question?"))
    done = read()
    assert (done.samples, done.read, done.unchanged) == (1, 1, False)
    assert rows(session) == [("a", "A question?", "An answer.")]


def test_a_conversation_is_one_sample_of_joined_turns(session, folder, read):
    made = record("a", "one", instruction="first?")
    made["conversations"] += [
        {"from": "human", "value": "second?"},
        {"from": "gpt", "value": "two"},
    ]
    folder.write(made)
    read()
    assert rows(session) == [("a", "first?\nsecond?", "one\ntwo")]
    assert json.loads(rows(session, "raw")[0][0]) == made


def test_an_unchanged_data_set_is_not_read_again(folder, read):
    folder.write(record("a", "one"))
    read()
    again = read()
    assert (again.samples, again.read, again.unchanged) == (1, 0, True)


def test_changed_new_and_vanished_records_are_taken_up(session, folder, read, told):
    folder.write(record("a", "one"), record("b", "two"), record("c", "three"))
    read()
    folder.write(record("c", "three"), record("a", "changed"), record("d", "new"))
    done = read()
    assert [row[::2] for row in rows(session)] == [("c", "three"), ("a", "changed"), ("d", "new")]
    assert done.gone == 1
    assert "1 sample is no longer in set" in told


def test_repeated_ids_are_numbered_and_said(session, folder, read, told):
    folder.write(*(record("same", f"answer {n}") for n in range(3)), record("same#2", "taken"))
    read()
    assert [row[0] for row in rows(session)] == ["same", "same#2", "same#3", "same#2#2"]
    assert any("repeat an id" in text for text in told)


def test_repeated_ids_are_refused_if_so_wished(folder, read):
    folder.write(record("same", "one"), record("same", "two"))
    with pytest.raises(DatasetError, match="'same' stands in more than one record"):
        read(duplicates="error")


def test_records_that_are_no_samples_are_counted_and_stop_nothing(session, folder, read, told):
    folder.write(record("a", "one"), {"id": "b"}, record("c", "  "), record("d", "two"))
    done = read()
    assert done.samples == 4
    assert sorted(done.problems.values()) == [1, 1]
    assert any("the answer is empty" in text for text in told)


def test_text_that_databases_refuse_is_made_storable(session, folder, read):
    folder.path.write_text(
        json.dumps([record("a\0b", "nul \0 and half \ud800 a pair")]), encoding="utf-8"
    )
    read()
    (row,) = rows(session)
    assert "\0" not in row[0] + row[2]
    row[2].encode()


def test_two_data_sets_do_not_share_a_name(session, folder, read, tmp_path):
    folder.write(record("a", "one"))
    read()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "llava.json").write_text(json.dumps([record("x", "y")]))
    with pytest.raises(UsageError, match="--name"):
        ingest(session, DatasetSource(tmp_path / "other" / "llava.json", name="set"))


def test_the_same_sample_in_two_data_sets_shares_its_content(session, folder, read, tmp_path):
    folder.write(record("a", "one"))
    read()
    (tmp_path / "other.json").write_text(json.dumps([record("elsewhere", "one")]))
    ingest(session, DatasetSource(tmp_path / "other.json"))
    contents = rows(session, "content_id")
    assert len(contents) == 2
    assert len(set(contents)) == 1


def test_missing_images_of_other_names_are_other_contents(session, folder, read):
    folder.write(record("a", "one", "x.png"), record("b", "one", "y.png"))
    read()
    assert len(set(rows(session, "content_id"))) == 2


def test_images_inside_the_data_set_are_kept_beside_the_database(session, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import io

    import pyarrow.parquet as pq
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(buffer, "PNG")
    table = pa.table(
        {
            "id": ["a"],
            "image": [{"bytes": buffer.getvalue(), "path": None}],
            "instruction": ["What?"],
            "answer": ["Red."],
        }
    )
    pq.write_table(table, tmp_path / "set.parquet")
    ingest(session, DatasetSource(tmp_path / "set.parquet", options={"inside": False}))
    (file,) = [path for path in session.store.image_folder.rglob("*") if path.is_file()]
    assert file.read_bytes() == buffer.getvalue()
    with session.store.reading() as connection:
        shape = connection.execute(text("SELECT width, height, format FROM images")).one()
    assert tuple(shape) == (5, 4, "png")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ('[{"id": "a", "conversations": [}]', "line 1"),
        ("[]", "no format"),
        ('[{"id": "a", "conversations": [{"from": "human"', "line 1"),
    ],
)
def test_files_that_cannot_be_read_say_where(folder, read, content, told):
    folder.path.write_text(content)
    with pytest.raises(DatasetError, match=told):
        read()


def test_a_missing_path_is_named(session, tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere"):
        ingest(session, DatasetSource(tmp_path / "nowhere"))


def test_an_unknown_format_is_named(session, folder):
    folder.write(record("a", "one"))
    with pytest.raises(UsageError, match=r"unknown format 'lava'; did you mean llava\?"):
        ingest(session, DatasetSource(folder.path, format="lava"))


def test_what_holds_no_records_leaves_no_data_set(session, tmp_path):
    (tmp_path / "empty.csv").write_text("id,answer\n")
    with pytest.raises(DatasetError, match="no records"):
        ingest(session, DatasetSource(tmp_path / "empty.csv"))
    with pytest.raises(DatasetError, match="no data set yet"):
        session.dataset()


def test_ids_and_image_names_that_no_file_can_have_stop_nothing(session, folder, read):
    folder.write(
        record("x\ud800", "one", "a\ud800.png"),
        record("y\0", "two", "b\0.png"),
        record("z", "three\udfff", "c" * 5000 + ".png"),
        record("w", "four", "../set"),
    )
    assert read().samples == 4
    assert rows(session)[0] == ("x?", "What is this?", "one")
    assert read().unchanged


@pytest.mark.slow
def test_a_column_of_equal_ids_does_not_take_the_square_of_time(session, folder, read):
    folder.write(*(record("same", f"answer {n}") for n in range(1500)))
    began = time.monotonic()
    read()
    assert time.monotonic() - began < 20  # one by one from 2 it took 400 s
    assert rows(session, "external_id")[-1] == ("same#1500",)


def test_numbered_ids_stay_what_they_are_when_read_again(session, folder, read):
    records = [record("a", "one"), record("a#2", "two"), record("a", "three"), record("a", "four")]
    folder.write(*records)
    read()
    before = rows(session, "id, external_id, answer")
    assert [row[1] for row in before] == ["a", "a#2", "a#3", "a#4"]
    folder.write(*records, record("b", "five"))
    read()
    assert rows(session, "id, external_id, answer")[:4] == before


def test_duplicates_are_refused_also_where_the_data_set_is_known_already(folder, read):
    folder.write(record("a", "one"), record("a", "two"))
    read()
    with pytest.raises(DatasetError, match="more than one record"):
        read(duplicates="error")


def test_a_data_set_is_known_by_any_path_that_leads_to_it(session, folder, read):
    folder.write(record("a", "one"))
    read()
    (folder.path.parent / "below").mkdir()
    roundabout = folder.path.parent / "below" / ".." / folder.path.name
    assert ingest(session, DatasetSource(roundabout, name="set")).dataset.id == session.dataset().id


def test_an_image_that_comes_goes_or_changes_gives_its_samples_another_content(
    session, folder, read
):
    folder.write(record("a", "one", "a.png"), record("b", "one", "b.png"))
    folder.picture("b.png", (9, 9, 9))
    read()
    seen = [rows(session, "content_id")]
    for change in (
        lambda: folder.picture("a.png", (1, 2, 3)),
        lambda: folder.picture("a.png", (4, 5, 6), size=(9, 9)),
        lambda: (folder.path.parent / "a.png").unlink(),
    ):
        change()
        assert read().changed_images == 1
        seen.append(rows(session, "content_id"))
    assert len({contents[0] for contents in seen[:3]}) == 3
    assert seen[3] == seen[0]  # missing again, as it was at first
    assert len({contents[1] for contents in seen}) == 1


def test_new_bytes_and_the_new_content_are_recorded_together_or_not_at_all(
    session, folder, read, monkeypatch
):
    folder.picture("a.png", (1, 2, 3))
    folder.write(record("a", "one", "a.png"))
    read()
    before = rows(session, "content_id")
    folder.picture("a.png", (4, 5, 6), size=(9, 9))

    def die(*_):
        raise KeyboardInterrupt  # as if killed between the two

    monkeypatch.setattr("ig4.storage.datasets.set_contents", die)
    with pytest.raises(KeyboardInterrupt):
        read()
    monkeypatch.undo()
    assert rows(session, "content_id") == before
    assert read().changed_images == 1
    assert rows(session, "content_id") != before


def test_reading_again_after_an_image_changed_finds_the_same_content(session, folder, read):
    # What a database cannot hold must not make the hash depend on who computes it.
    folder.picture("a.png", (1, 2, 3))
    folder.write(record("a", "nul \0 and \ud800", "a.png"))
    read()
    folder.picture("a.png", (4, 5, 6), size=(9, 9))
    read()
    refreshed = rows(session, "content_id")
    folder.write(record("a", "nul \0 and \ud800", "a.png"), record("b", "new"))
    read()
    assert rows(session, "content_id")[:1] == refreshed


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data_set(session, tmp_path):
    def peak(name, count):
        path = tmp_path / f"{name}.jsonl"
        line = json.dumps({"id": "%d", "instruction": "What?", "answer": "word " * 60 + "%d"})
        with path.open("w") as file:
            file.writelines(line.replace("%d", str(n)) + "\n" for n in range(count))
        tracemalloc.start()
        ingest(session, DatasetSource(path))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    monkey = pytest.MonkeyPatch()
    monkey.setattr("ig4.core.engine.ingesting.batches.BATCH", 1000)
    few, many = peak("few", 2000), peak("many", 20_000)
    monkey.undo()
    assert many < 1.5 * few


def test_an_image_on_the_network_is_told_from_a_missing_file(session, folder, read, told):
    folder.write(record("a", "one", "https://host/a.jpg"))
    read()
    assert any("download it" in text for text in told)


PAGE = b"<!DOCTYPE html><html><title>404 Not Found</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.fixture
def impostors(folder):
    """Records with a picture, with two pages and a pointer in the place of one, and a torn one."""
    folder.picture("good.png", (9, 9, 9))
    folder.picture("torn.jpg", (9, 9, 9), size=(400, 400))
    torn = folder.path.parent / "torn.jpg"
    torn.write_bytes(torn.read_bytes()[:-900])
    for name, content in (("page", PAGE), ("page2", PAGE), ("lfs", POINTER)):
        (folder.path.parent / f"{name}.png").write_bytes(content)
    names = ("good.png", "page.png", "page2.png", "lfs.png", "torn.jpg")
    folder.write(*(record(name[:-4], f"is {name[:-4]}", name) for name in names))
    return folder


def test_files_that_are_no_images_are_problems_and_what_they_are_is_said(
    session, impostors, read, told
):
    done = read()
    assert (done.samples, done.unreadable_images) == (5, 4)
    with session.store.reading() as connection:
        kept = connection.execute(text("SELECT name, problem FROM image_files"))
        reasons = {name[:-4]: problem for name, problem in kept if problem}
    assert "page.png: the file is an HTML page" in reasons["page"]
    assert "git lfs pull" in reasons["lfs"]
    assert "torn.jpg: the image cannot be decoded" in reasons["torn"]
    assert "good" not in reasons
    assert sum("2 images cannot be read; the first: page.png" in text for text in told) == 1
    assert sum("1 image cannot be read; the first: lfs.png" in text for text in told) == 1
    again = read()
    assert (again.unchanged, again.unreadable_images) == (True, 4)


def test_images_that_changed_together_with_the_records_are_counted(folder, read):
    folder.picture("b.png", (9, 9, 9))
    records = [record("a", "one", "a.png"), record("b", "one", "b.png")]
    folder.write(*records)
    assert read().changed_images == 0
    folder.picture("a.png", (1, 2, 3))
    folder.picture("c.png", (7, 7, 7))
    folder.write(*records, record("c", "a new one", "c.png"), record("d", "again", "a.png"))
    done = read()
    assert (done.unchanged, done.changed_images) == (False, 1)


def test_an_image_that_takes_the_place_of_a_page_is_read(session, impostors, read):
    read()
    before = rows(session, "content_id")
    impostors.picture("page.png", (1, 2, 3))
    done = read()
    assert (done.changed_images, done.unreadable_images) == (1, 3)
    assert rows(session, "content_id")[1] != before[1]


def test_what_an_earlier_version_took_for_an_image_is_looked_at_again(session, impostors, read):
    read()
    with session.store.writing() as connection:
        connection.execute(text("INSERT INTO images (id, sha256, bytes) VALUES (99, 'aa', 9)"))
        connection.execute(text(
            "UPDATE image_files SET image_id = 99, problem = NULL WHERE name = 'page.png'"
        ))  # fmt: skip
    assert read().unreadable_images == 4


def embedded_set(path, images):
    """Write a Parquet file with these bytes as the images of its samples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": one, "path": None} for one in images]
    columns = {"id": [str(n) for n in range(len(images))], "image": images}
    pq.write_table(pa.table(columns | {"answer": ["Red."] * len(images)}), path)


def noise_png(seed):
    buffer = io.BytesIO()
    Image.frombytes("L", (20, 20), random.Random(seed).randbytes(400)).save(buffer, "PNG")
    return buffer.getvalue()


def test_bytes_inside_a_data_set_that_are_no_image_are_a_problem(session, tmp_path, told):
    pytest.importorskip("pyarrow")
    embedded_set(tmp_path / "set.parquet", [PAGE])
    assert ingest(session, DatasetSource(tmp_path / "set.parquet")).unreadable_images == 1
    assert any("an HTML page" in text for text in told)


def test_embedded_images_are_stored_before_they_fill_the_memory(session, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("ig4.core.engine.ingesting.batches.BATCH_BYTES", 1000)
    stored = []
    monkeypatch.setattr(
        "ig4.core.engine.ingesting.reader.ImageFileIndex.current_rows",
        lambda self, names, real=ImageFileIndex.current_rows: (
            stored.append(len(list(names))) or real(self, names)
        ),
    )
    embedded_set(tmp_path / "set.parquet", [noise_png(n) for n in range(6)])
    copied = DatasetSource(tmp_path / "set.parquet", options={"inside": False})
    assert ingest(session, copied).samples == 6
    assert sum(stored) == 6
    assert len(stored) > 1


def test_large_records_are_stored_before_they_fill_the_memory(session, tmp_path, monkeypatch):
    monkeypatch.setattr("ig4.core.engine.ingesting.batches.BATCH_BYTES", 1000)
    stored = []
    monkeypatch.setattr(
        "ig4.core.engine.ingesting.reader.datasets.put_samples",
        lambda connection, rows, real=datasets.put_samples: (
            stored.append(len(rows)) or real(connection, rows)
        ),
    )
    path = tmp_path / "set.jsonl"
    rows = [{"instruction": "q", "answer": "a", "notes": [{"text": "n" * 600}]} for _ in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ingest(session, DatasetSource(path)).samples == 6
    assert stored == [2, 2, 2]


def test_missing_shards_are_told(session, tmp_path, told):
    for number in (0, 3):
        lines = json.dumps(record(f"s{number}", "An answer."))
        (tmp_path / f"train-{number:05}-of-00004.jsonl").write_text(lines)
    done = ingest(session, DatasetSource(tmp_path, name="set"))
    assert done.samples == 2
    assert any("2 of 4 shards are there; missing: 00001, 00002" in text for text in told)
