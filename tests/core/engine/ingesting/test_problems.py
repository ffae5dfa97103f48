"""What is wrong with records: named, counted, kept out of selections, and nothing lost."""

from __future__ import annotations

import json
import random

import pytest
from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import explain
from ig4.core.engine.selecting.select import select
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import Notice
from ig4.core.host.fingerprint import of_content
from ig4.core.records import Choice, Turn

from ....plugins.formats.mutations import mutated
from ...conftest import record

TOP = Choice("selector", "topk")


def rows(session, columns):
    with session.store.reading() as connection:
        sql = f"SELECT {columns} FROM samples WHERE ordinal IS NOT NULL ORDER BY ordinal"
        return [tuple(row) for row in connection.execute(text(sql))]


@pytest.fixture
def told(session):
    texts = []
    session.listeners = [lambda event: isinstance(event, Notice) and texts.append(event.text)]
    return texts


def said(*texts, **fields):
    turns = [{"from": ("human", "gpt")[n % 2], "value": one} for n, one in enumerate(texts)]
    return {**fields, "conversations": turns}


def test_records_in_are_samples_and_problems(session, folder, read, told):
    folder.picture("a.png", (1, 2, 3))
    folder.write(
        said("<image>\nWhat?", "It.", id="good", image="a.png"),
        said("<image>\n<image>\nWhat?", "It.", id="marks", image="a.png"),
        said("What?", "It.", id="odd", image=3),
        {"id": "alien", "conversations": [{"from": "alien", "value": "x"}]},
        None,
    )
    done = read()
    assert done.samples == 5
    assert sum(done.problems.values()) == 4
    assert done.problems["2 <image> marks for 1 image"] == 1
    assert rows(session, "external_id, problem")[0] == ("good", None)
    assert "1 record: the speaker 'alien' is not known" in told


def test_of_broken_records_each_is_a_sample_with_or_without_a_problem(session, folder, read):
    rng = random.Random(7)
    raws = [mutated(rng) for _ in range(150)]
    folder.write(*raws)
    done = read(format="llava")
    found = rows(session, "problem, raw")
    assert len(found) == 150
    assert sum(done.problems.values()) == sum(problem is not None for problem, _ in found)
    assert [raw for _, raw in found] == list(map(json.dumps, raws))


def test_many_different_problems_are_told_in_a_few_lines(folder, read, told):
    folder.write(*({"id": str(n), "conversations": [{"from": f"x{n}", "value": ""}]}
                   for n in range(100)))  # fmt: skip
    done = read()
    assert sum(done.problems.values()) == 100
    assert len([one for one in told if "1 record: " in one or "records: " in one]) == 13
    assert "88 records: 88 other problems" in told


def test_a_problem_is_short_and_on_one_line(session, folder, read):
    folder.write({"id": "a", "conversations": [{"from": "x\n\ud800" * 500, "value": ""}]})
    read()
    ((problem,),) = rows(session, "problem")
    assert len(problem) <= 200
    assert "\n" not in problem


def test_the_texts_and_contents_of_usual_records_are_what_they_were(session, folder, read):
    folder.picture("a.png", (1, 2, 3))
    folder.write(
        said("<image>\nWhat?", "It.", id="1", image="a.png"),
        said("What?\n<image>", "It.", id="2", image="a.png"),
        said("What?", "It.", id="3"),
    )
    read()
    sql = "SELECT hash FROM contents c JOIN samples s ON c.id = s.content_id ORDER BY s.ordinal"
    with session.store.reading() as connection:
        sha256 = connection.scalar(text("SELECT sha256 FROM images"))
        stored = connection.scalars(text(sql)).all()
    pair = (Turn("user", "What?"), Turn("assistant", "It."))
    assert stored == [of_content(pair, [sha256]), of_content(pair, [sha256]), of_content(pair, [])]
    assert rows(session, "places") == [(None,), ("[[0, 5]]",), (None,)]


@pytest.mark.parametrize("form", ["llava", "sharegpt", "jsonl", "csv"])
def test_places_of_images_go_through_the_database(session, folder, read, tmp_path, form):
    folder.picture("a.png", (1, 2, 3))
    folder.picture("b.png", (3, 2, 1))
    folder.write(said("Hi <image>!", "Yes?", "And <image>?", "It.", id="1",
                      image=["a.png", "b.png"]))  # fmt: skip
    dataset = read().dataset
    name = {"csv": "out.csv", "jsonl": "out.jsonl"}.get(form, "out.json")
    target = tmp_path / "out" / name
    export(session, dataset, ExportTarget(target, form, images="copy"))
    again = ingest(session, DatasetSource(target, name="again", format=form)).dataset
    with session.store.reading() as connection:
        stored = connection.execute(
            text("SELECT turns, places, content_id, problem FROM samples ORDER BY id")
        ).all()
    assert again.name == "again"
    assert stored[0] == stored[1]
    assert stored[0][1:] == ("[[0, 3], [2, 4]]", stored[1][2], None)


def test_a_sample_with_a_problem_is_not_asked_about_nor_selected(
    session, folder, read, tmp_path, told
):
    folder.picture("a.png", (1, 2, 3))
    folder.write(
        said("What?", "One.", id="good"),
        said("<image>\nWhat?", "One two three.", id="marks", image=["a.png", "a.png"]),
        said("What?", "One two.", id="other"),
    )
    dataset = read().dataset
    done = score(session, dataset, ScoreRequest((Choice("scorer", "length"),)))
    assert "length" in repr(done)
    (tmp_path / "s.csv").write_text("id,mine\ngood,1\nmarks,9\nother,2\n")
    import_scores(session, dataset, ScoreColumn(tmp_path / "s.csv", "mine", "mine"))
    request = SelectionRequest(size=2, scorers=("mine",), selector=TOP)
    assert [one.external_id for one in select(session, dataset, request)] == ["other", "good"]
    assert any("1 with a problem that `ig4 ingest` named" in one for one in told)
    with pytest.raises(UsageError, match="only 2 have all that is needed"):
        select(session, dataset, SelectionRequest(size=3, scorers=("mine",), selector=TOP))
    assert "1 <image> mark for 2 images" in explain(session, dataset, request, "marks").reason
    with session.store.reading() as connection:
        sql = "SELECT external_id FROM scores_long WHERE scorer = 'length' ORDER BY 1"
        assert connection.scalars(text(sql)).all() == ["good", "other"]


def test_a_good_sample_with_the_content_of_a_faulty_one_is_scored(session, folder, read):
    folder.write(said("What?", "One.", id="odd", image=3), said("What?", "One.", id="good"))
    dataset = read().dataset
    score(session, dataset, ScoreRequest((Choice("scorer", "length"),)))
    request = SelectionRequest(size=1, scorers=("length",), selector=TOP)
    assert [one.external_id for one in select(session, dataset, request)] == ["good"]


# --- texts that no database can hold ---------------------------------------------------------


def test_texts_that_no_database_can_hold_are_repaired_and_counted(session, folder, read, tmp_path):
    made = said("What\ud800?", "nul\0l", id="a\udcff", image="no\udcff.png")
    folder.write(made)
    done = read()
    assert rows(session, "external_id, instruction, answer") == [("a?", "What??", "nul␀l")]
    assert [count for text, count in done.remarks.items() if "surrogate" in text] == [1]
    export(session, done.dataset, ExportTarget(tmp_path / "out.json", images="none"))
    assert (
        json.loads((tmp_path / "out.json").read_text())[0]["conversations"]
        == (made["conversations"])
    )


def test_ids_too_long_for_an_index_are_cut_and_stay_apart(session, folder, read):
    folder.write(*(record("x" * 5000 + str(n), "one") for n in range(2)))
    read()
    one, other = (row[0] for row in rows(session, "external_id"))
    assert one != other
    assert len(one) < 1000


@pytest.mark.parametrize("field", ["path", "name", "image_root"])
def test_names_that_are_no_text_are_refused(session, folder, field):
    folder.write(record("a", "one"))
    bad = folder.path.with_name("caf\udce9.json")
    bad.write_bytes(folder.path.read_bytes())
    given = {"path": bad} if field == "path" else {"path": folder.path, field: bad}
    given |= {"name": str(bad)} if field == "name" else {}
    with pytest.raises(UsageError, match="cannot be stored: rename it"):
        ingest(session, DatasetSource(**given))


# --- a data set that was moved ---------------------------------------------------------------


def test_a_data_set_that_was_moved_is_read_from_its_new_place(session, folder, read, told):
    folder.picture("a.png", (1, 2, 3))
    folder.write(record("a", "one", "a.png"))
    before = read().dataset
    moved = folder.path.parent.rename(folder.path.parent.with_name("moved")) / folder.path.name
    done = ingest(session, DatasetSource(moved, name=before.name))
    assert (done.dataset.id, done.samples, done.gone) == (before.id, 1, 0)
    assert done.dataset.path == str(moved)
    assert any("was moved: from" in one for one in told)
    assert rows(session, "external_id, content_id") == [("a", 1)]


def test_other_files_under_the_name_of_a_data_set_that_is_gone_are_refused(session, folder, read):
    folder.write(record("a", "one"))
    name = read().dataset.name
    other = folder.path.with_name("other.json")
    other.write_text(json.dumps([record("a", "one"), record("b", "two")]))
    folder.path.unlink()
    with pytest.raises(UsageError, match=r"is gone, and .* holds other files: add --replace"):
        ingest(session, DatasetSource(other, name=name))
    done = ingest(session, DatasetSource(other, name=name, replace=True))
    assert (done.samples, done.dataset.path) == (2, str(other))


def test_a_data_set_takes_the_place_of_another_only_on_request(session, folder, read):
    folder.write(record("a", "one"))
    first = read().dataset
    other = folder.path.with_name("other.json")
    other.write_text(json.dumps([record("b", "two")]))
    with pytest.raises(UsageError, match="another name with --name, or add --replace"):
        ingest(session, DatasetSource(other, name=first.name))
    done = ingest(session, DatasetSource(other, name=first.name, replace=True))
    assert (done.dataset.id, done.samples, done.gone) == (first.id, 1, 1)


def test_splits_are_asked_for_before_anything_is_stored(session, folder):
    for name in ("train", "test"):
        (folder.path.with_name(f"{name}.jsonl")).write_text('{"id": "1", "answer": "It."}\n')
    with pytest.raises(DatasetError, match="-o split="):
        ingest(session, DatasetSource(folder.path.parent, format="jsonl"))
    done = ingest(session, DatasetSource(folder.path.parent, options={"split": "train"}))
    assert done.samples == 1


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("llava", '[{"id": "1", "id": "2", "conversations": [%s]}]'),
        ("sharegpt", '[{"messages": [{"role": "user", "content": "q", "content": "r"}, %s]}]'),
        ("jsonl", '{"question": "q", "answer": "a", "answer": "b"}\n'),
        ("minigpt4", '{"annotations": [{"image_id": "1", "caption": "a", "caption": "b"}]}'),
    ],
)
def test_a_key_that_stands_twice_in_a_record_is_told(session, told, tmp_path, form, text):
    turn = '{"from": "gpt", "value": "a"}'
    turn = '{"role": "assistant", "content": "a"}' if form == "sharegpt" else turn
    path = tmp_path / ("set.jsonl" if form == "jsonl" else "set.json")
    path.write_text(text.replace("%s", turn))
    assert ingest(session, DatasetSource(path, format=form)).samples == 1
    assert any("stands more than once in an object; its last value counts" in one for one in told)
