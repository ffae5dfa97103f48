"""Reading data sets: what comes in, what is noticed, and what is refused."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from ig4.core.engine.ingest import Source, ingest
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import Notice

from .conftest import record


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
    assert "1 samples are no longer in set" in told


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
        ingest(session, Source(tmp_path / "other" / "llava.json", name="set"))


def test_the_same_sample_in_two_data_sets_shares_its_content(session, folder, read, tmp_path):
    folder.write(record("a", "one"))
    read()
    (tmp_path / "other.json").write_text(json.dumps([record("elsewhere", "one")]))
    ingest(session, Source(tmp_path / "other.json"))
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
    ingest(session, Source(tmp_path / "set.parquet"))
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
        ingest(session, Source(tmp_path / "nowhere"))


def test_an_unknown_format_is_named(session, folder):
    folder.write(record("a", "one"))
    with pytest.raises(UsageError, match=r"unknown format 'lava'; did you mean llava\?"):
        ingest(session, Source(folder.path, format="lava"))
