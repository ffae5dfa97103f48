"""Mixtures in the library: how they are found and named, what they share, and training on one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.exporting.sources import id_in, with_id
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.mixtures import count_shared, named_parts
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.training.trainingset import TrainingRequest, read_training_set
from ig4.core.errors import DatasetError, UsageError
from ig4.core.records import Choice
from ig4.storage import samples
from ig4.storage.schema import Dataset

from ..conftest import record


@pytest.fixture
def put(session, tmp_path):
    """Ingest a data set with answers by id."""

    def _put(name, **answers):
        path = tmp_path / f"{name.replace('/', '_')}.json"
        path.write_text(json.dumps([record(key, text) for key, text in answers.items()]))
        return ingest(session, DatasetSource(path, name=name)).dataset

    return _put


@pytest.fixture
def table(session, tmp_path):
    """Ingest a CSV file of some columns, with a row for each id."""

    def _table(name, columns, *ids):
        path = tmp_path / f"{name}.csv"
        rows = [
            ",".join(key if column in ("id", "key") else f"{key} {column}" for column in columns)
            for key in ids
        ]
        path.write_text("\n".join([",".join(columns), *rows]) + "\n")
        return ingest(session, DatasetSource(path, name=name)).dataset

    return _table


def ids_of(session, dataset):
    with session.store.reading() as connection:
        return [row.external_id for row in samples.stream(connection, dataset.id)]


def test_several_names_mean_the_same_mixture_every_time(session, put):
    put("a", x="one")
    put("b", x="two")
    made = session.dataset("a,b")
    assert (made.name, made.is_mixture) == ("a+b", True)
    assert session.dataset(" a , b ").id == session.dataset("a+b").id == made.id
    assert session.dataset("b,a").id != made.id
    assert ids_of(session, session.dataset("b,a")) == ["b/x", "a/x"]


def test_a_mixture_in_a_mixture_stands_for_its_members(session, put):
    for name in "abc":
        put(name, x=name)
    session.dataset("a,b")
    assert session.dataset("a+b,c").id == session.dataset("a,b,c").id
    with pytest.raises(UsageError, match="names 'b' twice"):
        session.dataset("a+b,b")


def test_a_stored_name_with_a_comma_is_that_data_set(session, put):
    put("a", x="one")
    put("b", x="two")
    assert session.dataset("a,b").is_mixture
    older = put("c", x="three")
    with session.store.writing() as connection:
        connection.execute(update(Dataset).where(Dataset.id == older.id).values(name="a,b"))
    assert session.dataset("a,b").id == older.id


def test_a_name_that_is_taken_gets_a_number(session, put):
    for name in ("a+b", "a", "b"):
        put(name, x=name)
    assert session.dataset("a,b").name == "a+b#2"


def test_ids_that_could_not_be_told_apart_are_refused(session, put):
    put("a", x="one")
    put("a/b", x="two")
    with pytest.raises(UsageError, match="cannot be told apart"):
        session.dataset("a,a/b")


def test_a_mixture_goes_with_its_members(session, put):
    put("a", x="one")
    gone = put("b", x="two")
    old = session.dataset("a,b")
    with session.store.writing() as connection:
        connection.execute(delete(Dataset).where(Dataset.id == gone.id))
    assert session.dataset().name == "a"
    with pytest.raises(DatasetError, match=r"'a\+b'"):
        session.dataset("a+b")
    put("b", y="three")
    made = session.dataset("a,b")
    assert made.name == "a+b"
    assert made.id != old.id
    assert ids_of(session, made) == ["a/x", "b/y"]


def test_samples_know_the_data_set_that_they_come_from(session, put):
    put("a", x="one")
    put("b", x="two")
    with session.store.reading() as connection:
        rows = list(samples.stream(connection, session.dataset("a,b").id))
    assert [sample_of(row).meta["dataset"] for row in rows] == ["a", "b"]
    assert [sample_of(row).id for row in rows] == ["a/x", "b/x"]


def test_a_training_takes_the_samples_of_all_members(session, put):
    put("a", x="one", y="")
    put("b", x="two")
    mixture = session.dataset("a,b")
    request = TrainingRequest(Choice("trainer", "learner"), selection="all", check_images=False)
    trainer = session.configured(request.trainer).component
    found = read_training_set(session, mixture, trainer, request)
    assert [sample.id for sample in found.samples] == ["a/x", "b/x"]
    assert found.dataset.name == "a+b"


@given(st.lists(st.sets(st.sampled_from("pqrst")), min_size=2, max_size=3))
def test_ids_are_changed_only_where_they_are_the_samples_own(members):
    for own in sorted(set().union(*members)):
        wanted = f"set/{own}"
        assert with_id({"id": own, "more": 1}, own, wanted) == {"id": wanted, "more": 1}
        assert with_id({"id": own}, f"{own}#2", f"{wanted}#2") == {"id": f"{wanted}#2"}
        assert with_id({"id": "other"}, own, wanted) == {"id": "other"}
        assert with_id([own, "text"], own, wanted) == [own, "text"]


def test_the_id_that_a_written_record_has_is_known():
    assert id_in(None, "1", "a/1") == "a/1"
    assert id_in({"id": "a/1"}, "1", "a/1") == "a/1"
    assert id_in({"image_id": 1}, "1", "a/1") == "1"
    assert id_in(["1", "text"], "1", "a/1") == "1"
    assert id_in({"text": "no id"}, "1", "a/1") is None


def test_names_are_split_at_commas():
    assert named_parts("a, b,,c ") == ["a", "b", "c"]


def test_what_members_share_is_counted_by_content_and_by_sample(session, put):
    put("a", x="one", y="two", z="two", w="three")
    put("b", x="two", y="four", z="three")
    put("c", x="five")
    with session.store.reading() as connection:
        # "two" is twice in a and once in b, "three" once in each.
        assert count_shared(connection, session.dataset("a,b,c")) == (2, 5)
        assert count_shared(connection, session.dataset("a,c")) == (0, 0)
        assert count_shared(connection, session.dataset("a")) == (0, 0)


def test_tables_of_the_same_columns_are_written_as_they_were_read(
    session, table, tmp_path, notices
):
    table("a", ["id", "instruction", "answer", "note"], "1", "2")
    table("b", ["id", "instruction", "answer", "note"], "1")
    table("c", ["id", "instruction", "answer", "other"], "1")
    done = export(session, session.dataset("a,b,c"), ExportTarget(tmp_path / "out.csv"))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert done.samples == 4
    assert lines[1:4] == [
        "a/1,1 instruction,1 answer,1 note",
        "a/2,2 instruction,2 answer,2 note",
        "b/1,1 instruction,1 answer,1 note",
    ]
    assert lines[4].startswith("c/1,1 instruction,1 answer")
    told = " ".join(notices())
    assert "1 sample of c (csv) is written as csv from turns and images" in told
    assert "an id that another record" not in told


def test_ids_that_a_record_keeps_and_another_has_are_told(session, table, tmp_path, notices):
    table("a", ["key", "instruction", "answer"], "1", "2")
    table("b", ["key", "instruction", "answer"], "1")
    export(session, session.dataset("a,b"), ExportTarget(tmp_path / "out.csv"))
    told = "1 record of several data sets has an id that another record of the export has"
    assert told in " ".join(notices())


def test_a_notice_that_begins_with_its_recipe_is_not_named_twice(session, notices):
    with session.notices_of("balanced"):
        session.notice("balanced: own-picture is not used")
        session.notice("1 sample is left out")
        session.notice_once("of all")
        session.notice_once("of all")
    session.notice("plain")
    assert notices() == [
        "balanced: own-picture is not used", "balanced: 1 sample is left out", "of all", "plain",
    ]  # fmt: skip


def test_a_new_name_is_not_one_of_several(session, put, tmp_path):
    with pytest.raises(UsageError, match=r"cannot be called 'a,b': a comma joins .*--name"):
        put("a,b", x="one")
    put("a", x="one")
    put("a+c", y="two")  # there is no c, of which a mixture could be
    put("b", y="two")
    with pytest.raises(UsageError, match="so the mixture of 'a' and 'b' is called"):
        put("a+b", x="one")
    mixture = session.dataset("a,b")
    assert mixture.is_mixture
    assert mixture.name == "a+b"


def test_a_file_with_a_comma_in_its_name_gets_a_name_without(session, tmp_path):
    path = tmp_path / "one,two.json"
    path.write_text(json.dumps([record("x", "text")]))
    assert ingest(session, DatasetSource(path)).dataset.name == "one_two"


def test_a_stored_name_with_a_comma_stays_usable(session, tmp_path):
    path = tmp_path / "one,two.json"
    path.write_text(json.dumps([record("x", "text")]))
    first = ingest(session, DatasetSource(path, name="plain")).dataset
    with session.store.writing() as connection:
        connection.execute(update(Dataset).where(Dataset.id == first.id).values(name="one,two"))
    path.write_text(json.dumps([record("x", "text"), record("y", "more")]))
    for name in ("one,two", None):
        again = ingest(session, DatasetSource(path, name=name)).dataset
        assert (again.id, again.name) == (first.id, "one,two")
    assert session.dataset("one,two").id == first.id
